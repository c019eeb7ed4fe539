// Copies of plugins' files: when they are made, their contents, and when they are removed.
#include "plugin/private_copy.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

constexpr Duration kNow = Duration::zero();

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

class PrivateCopyTest : public testing::Test {
 protected:
  PrivateCopyTest() {
    std::string name = testing::TempDir() + "private_copy.XXXXXX";
    root_ = ::mkdtemp(name.data());
    file_ = in("libx.so");
    write(file_, "one");
    fs::create_directory(root_ / "copies");
  }
  ~PrivateCopyTest() override { fs::remove_all(root_); }

  std::string in(const std::string& path) const { return (root_ / path).string(); }
  static void write(const std::string& path, std::string_view content) {
    std::ofstream(path) << content;
  }
  std::unique_ptr<CopyFolder> folder() const {
    auto made = CopyFolder::create(in("copies"));
    EXPECT_TRUE(made.ok()) << made.status().message();
    return *std::move(made);
  }
  FileStamp stamp() const { return *file_stamp(file_); }

  fs::path root_;
  std::string file_;
  FileStamp copied_;
};

// ---- the folder
// ----------------------------------------------------------------------------------

using CopyFolderTest = PrivateCopyTest;

TEST_F(CopyFolderTest, IsForThisProcessAloneAndGoesWithIt) {
  std::string path;
  {
    const auto made = folder();
    path = made->path();
    EXPECT_TRUE(path.starts_with(in("copies/bentohost-" + std::to_string(::getpid()) + "-")));
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    EXPECT_NE(folder()->path(), path) << "a second one has a folder of its own";
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(CopyFolderTest, NamesThePlaceWhereItCannotBe) {
  const Status status = CopyFolder::create(in("nowhere")).status();
  EXPECT_EQ(status.code(), BENTO_NOT_FOUND);
  EXPECT_THAT(status.message(), HasSubstr(in("nowhere")));
  EXPECT_THAT(status.message(), HasSubstr("--copy-dir"));
}

TEST_F(CopyFolderTest, RemovesWhatThoseWhoAreNoMoreHaveLeft) {
  fs::create_directory(in("copies/bentohost-1-abandoned"));
  write(in("copies/bentohost-1-abandoned/lock"), "");
  write(in("copies/bentohost-1-abandoned/1-libx.so"), "x");
  const auto made = folder();
  EXPECT_FALSE(fs::exists(in("copies/bentohost-1-abandoned")));
  EXPECT_TRUE(fs::exists(made->path()));
}

TEST_F(CopyFolderTest, LeavesAloneWhatIsSomebodysOrNoneOfItsOwn) {
  const auto living = folder();
  fs::create_directory(in("copies/bentohost-2-begun"));  // its lock is not made yet
  fs::create_directory(in("copies/other"));
  write(in("copies/other/lock"), "");
  write(in("copies/bentohost-file"), "");
  fs::create_directory(in("elsewhere"));
  write(in("elsewhere/lock"), "");
  fs::create_directory_symlink(in("elsewhere"), in("copies/bentohost-3-link"));
  const auto another = folder();
  for (const std::string& path :
       {living->path(), in("copies/bentohost-2-begun"), in("copies/other/lock"),
        in("copies/bentohost-file"), in("elsewhere/lock"), in("copies/bentohost-3-link")}) {
    EXPECT_TRUE(fs::exists(path)) << path;
  }
}

TEST_F(CopyFolderTest, OfManyThatStartAtOnceNoneLosesItsOwn) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([this] {
      for (int round = 0; round < 50; ++round) {
        const auto made = folder();
        EXPECT_TRUE(fs::exists(made->path() + "/lock"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// ---- stamps
// --------------------------------------------------------------------------------------

using StampTest = PrivateCopyTest;

TEST_F(StampTest, IsTheSameWhileNobodyTouchesTheFile) { EXPECT_EQ(stamp(), stamp()); }

TEST_F(StampTest, IsAnotherForAnotherFileOfTheSameContent) {
  const auto before = stamp();
  write(in("new"), "one");
  fs::last_write_time(in("new"), fs::last_write_time(file_));
  fs::rename(in("new"), file_);
  EXPECT_NE(stamp(), before);
}

TEST_F(StampTest, IsAnotherForAnotherSizeOrTime) {
  const auto before = stamp();
  write(file_, "longer");
  const auto longer = stamp();
  EXPECT_NE(longer, before);
  fs::last_write_time(file_, fs::last_write_time(file_) + 1s);
  EXPECT_NE(stamp(), longer);
}

TEST_F(StampTest, IsThatOfALinksTarget) {
  fs::create_symlink(file_, in("link"));
  EXPECT_EQ(*file_stamp(in("link")), stamp());
}

TEST_F(StampTest, OfNoFileSaysSo) {
  const Status status = file_stamp(in("nothing")).status();
  EXPECT_EQ(status.code(), BENTO_NOT_FOUND);
  EXPECT_THAT(status.message(), HasSubstr(in("nothing")));
}

// ---- copies
// --------------------------------------------------------------------------------------

TEST_F(PrivateCopyTest, HasTheContentAndGoesWithItsLastOwner) {
  const auto made = folder();
  auto copy = made->copy(file_, {kNow, kNow}, copied_);
  ASSERT_TRUE(copy.ok()) << copy.status().message();
  const std::string path = (*copy)->path();
  EXPECT_EQ(path, made->path() + "/1/libx.so");
  EXPECT_EQ(read_file(path), "one");
  EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_read | fs::perms::owner_exec);
  EXPECT_EQ(copied_, stamp());
  PrivateCopyPtr one = *std::move(copy), other = one;
  one.reset();
  EXPECT_TRUE(fs::exists(path));
  other.reset();
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(PrivateCopyTest, IsNotTheFile) {
  const auto made = folder();
  const auto copy = made->copy(file_, {kNow, kNow}, copied_);
  write(file_, "two");
  EXPECT_EQ(read_file((*copy)->path()), "one");
  const auto second = made->copy(file_, {kNow, kNow}, copied_);
  EXPECT_EQ(read_file((*second)->path()), "two");
  EXPECT_NE((*copy)->path(), (*second)->path());
}

TEST_F(PrivateCopyTest, WaitsUntilTheFileHasBeenLeftAlone) {
  const auto begun = std::chrono::steady_clock::now();
  write(file_, "last");
  const auto copy = folder()->copy(file_, {60ms, 60s}, copied_);
  ASSERT_TRUE(copy.ok()) << copy.status().message();
  // File times are as coarse as the system's timer.
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 50ms);
}

TEST_F(PrivateCopyTest, GivesUpOnAFileThatIsNot) {
  const Status status = folder()->copy(file_, {1h, 20ms}, copied_).status();
  EXPECT_EQ(status.code(), BENTO_UNAVAILABLE);
  EXPECT_THAT(status.message(), HasSubstr(file_ + ": is still being written to"));
}

TEST_F(PrivateCopyTest, DoesNotWaitForATimeThatIsToComeYet) {
  fs::last_write_time(file_, fs::file_time_type::clock::now() + std::chrono::hours(24));
  EXPECT_TRUE(folder()->copy(file_, {1h, kNow}, copied_).ok());
}

TEST_F(PrivateCopyTest, IsNeverOfAFileThatHasGrownMeanwhile) {
  write(file_, std::string(200'000, 'x'));
  std::atomic<bool> over = false;
  std::thread writer([&] {
    for (std::ofstream file(file_, std::ios::app); !over.load();) file << "more" << std::flush;
  });
  const auto made = folder();
  for (int i = 0; i < 20; ++i) {
    const auto copy = made->copy(file_, {kNow, 30ms}, copied_);
    if (copy.ok()) {
      EXPECT_EQ(fs::file_size((*copy)->path()), copied_.size);
    } else {
      EXPECT_EQ(copy.status().code(), BENTO_UNAVAILABLE);
    }
  }
  over = true;
  writer.join();
  EXPECT_TRUE(made->copy(file_, {kNow, kNow}, copied_).ok());
  const auto left = std::distance(fs::directory_iterator(made->path()), fs::directory_iterator());
  EXPECT_EQ(left, 1) << "the lock; what was begun is removed";
}

TEST_F(PrivateCopyTest, IsOfRegularFilesAlone) {
  const auto made = folder();
  EXPECT_THAT(made->copy(root_, {kNow, kNow}, copied_).status().message(), HasSubstr("directory"));
  ASSERT_EQ(::mkfifo(in("pipe").c_str(), 0600), 0);
  EXPECT_THAT(made->copy(in("pipe"), {kNow, kNow}, copied_).status().message(), HasSubstr("pipe"));
  EXPECT_EQ(made->copy(in("nothing"), {kNow, kNow}, copied_).status().code(), BENTO_NOT_FOUND);
}

// ---- files around it
// -------------------------------------------------------------------------

class SurroundedTest : public PrivateCopyTest {
 protected:
  SurroundedTest() {
    fs::create_directories(in("home/plugins/deps"));
    fs::create_directories(in("home/lib"));
    write(plugin_, "plugin");
    write(in("home/plugins/beside.bin"), "beside");
    write(in("home/plugins/deps/libx.so"), "brought");
    write(in("home/lib/liby.so"), "not asked for");
    brought_.place = plugin_;
    brought_.folders = {{in("home/plugins"), in("home/plugins")},
                        {in("home/plugins/../lib"), in("home/lib")},
                        {in("home/plugins/deps"), in("home/plugins/deps")}};
    brought_.libraries.push_back(
        {"libx.so", in("home/plugins/deps/libx.so"), in("home/plugins/deps/libx.so"), {}});
  }
  PrivateCopyPtr surrounded(CopyFolder& made) {
    auto copy = made.copy(plugin_, {}, copied_);
    EXPECT_TRUE(copy.ok()) << copy.status().message();
    const Status status = made.surround(**copy, brought_, {});
    EXPECT_TRUE(status.ok()) << status.message();
    return *copy;
  }
  static std::vector<std::string> all_in(const fs::path& folder) {
    std::vector<std::string> all;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
      if (!entry.is_directory()) all.push_back(entry.path().lexically_relative(folder));
    }
    return all;
  }

  const std::string plugin_ = in("home/plugins/libp.so");
  Brought brought_;
};

TEST_F(SurroundedTest, LooksAsTheOriginalDoes) {
  const auto made = folder();
  const auto copy = surrounded(*made);
  EXPECT_EQ(copy->path(), made->path() + "/1/plugins/libp.so");
  EXPECT_THAT(all_in(made->path() + "/1"),
              UnorderedElementsAre("plugins/libp.so", "plugins/beside.bin", "plugins/deps/libx.so",
                                   "lib/liby.so"));
  EXPECT_TRUE(fs::is_symlink(made->path() + "/1/plugins/beside.bin"));
  EXPECT_EQ(read_file(made->path() + "/1/lib/liby.so"), "not asked for");
  write(in("home/plugins/deps/libx.so"), "overwritten");
  write(plugin_, "overwritten");
  EXPECT_EQ(read_file(made->path() + "/1/plugins/deps/libx.so"), "brought");
  EXPECT_EQ(read_file(copy->path()), "plugin");
}

TEST_F(SurroundedTest, SharesTheFilesOfLibrariesThatAreTheSame) {
  const auto made = folder();
  const auto one = surrounded(*made), two = surrounded(*made);
  const std::string first = made->path() + "/1/plugins/deps/libx.so";
  const std::string second = made->path() + "/2/plugins/deps/libx.so";
  EXPECT_EQ(file_stamp(first)->inode, file_stamp(second)->inode);
  write(in("home/plugins/deps/libx.so"), "another");
  const auto three = surrounded(*made);
  EXPECT_EQ(read_file(made->path() + "/3/plugins/deps/libx.so"), "another");
}

TEST_F(SurroundedTest, GoesWithAllThatIsAroundItAndWithNothingElse) {
  const auto made = folder();
  surrounded(*made);
  EXPECT_THAT(all_in(made->path()), UnorderedElementsAre("lock"));
  EXPECT_EQ(all_in(in("home")).size(), 4u);
}

TEST_F(SurroundedTest, IsPutBackWhenItWasRemoved) {
  const auto made = folder();
  const auto copy = surrounded(*made);
  const std::string path = copy->path(), library = made->path() + "/1/plugins/deps/libx.so";
  write(plugin_, "overwritten");
  fs::remove(path);
  fs::remove(library);
  fs::remove(made->path() + "/1/lib/liby.so");
  EXPECT_EQ(read_file(copy->readable()), "plugin") << "all the same";
  EXPECT_EQ(*copy->restore(), path);
  EXPECT_EQ(read_file(path), "plugin");
  EXPECT_EQ(read_file(library), "brought");
  EXPECT_TRUE(fs::exists(made->path() + "/1/lib/liby.so"));
}

TEST_F(SurroundedTest, IsPutElsewhereWhenTheWholePlaceWasRemoved) {
  const auto made = folder();
  const auto copy = surrounded(*made);
  fs::remove_all(in("copies"));
  auto path = copy->restore();
  ASSERT_TRUE(path.ok()) << path.status().message();
  EXPECT_EQ(*path, copy->path());
  EXPECT_EQ(read_file(*path), "plugin");
  EXPECT_TRUE(path->starts_with(in("copies") + "/")) << "where it was asked for";
  EXPECT_EQ(read_file(made->path() + "/1/plugins/deps/libx.so"), "brought");
  EXPECT_EQ(read_file((*made->copy(file_, {}, copied_))->path()), "one") << "and so is the next";
}

// ---- content
// -------------------------------------------------------------------------------------

using SameBytesTest = PrivateCopyTest;

TEST_F(SameBytesTest, ComparesAllOfThem) {
  const std::string big(200'000, 'x');
  std::string other = big;
  write(in("one"), big);
  const auto is_same_as = [&](const std::string& content) {
    write(in("other"), content);
    return *same_bytes(in("one"), in("other"));
  };
  EXPECT_TRUE(is_same_as(big));
  other[150'000] = 'y';
  EXPECT_FALSE(is_same_as(other));
  EXPECT_FALSE(is_same_as(big + "x"));
  EXPECT_FALSE(is_same_as(big.substr(0, 65536)));
  EXPECT_FALSE(is_same_as(""));
  write(in("one"), "");
  EXPECT_TRUE(is_same_as(""));
}

TEST_F(SameBytesTest, SaysWhatItCannotRead) {
  EXPECT_EQ(same_bytes(file_, in("nothing")).status().code(), BENTO_NOT_FOUND);
  EXPECT_EQ(same_bytes(in("nothing"), file_).status().code(), BENTO_NOT_FOUND);
}

}  // namespace
}  // namespace bentohost::plugin
