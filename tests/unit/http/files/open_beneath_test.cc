#include "http/files/open_beneath.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <string>

#include "unit/http/temp_folder.h"

namespace bentohost::http {
namespace {

using Opener = Result<UniqueFd> (*)(int, std::string_view);

// Both ways keep the same promises, except for symlinks that stay inside.
class OpenBeneath : public testing::TestWithParam<Opener> {
 protected:
  OpenBeneath() {
    outside_.write("secret", "secret");
    inside_.write("a/b", "text");
    folder_ = UniqueFd(open(inside_.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  }

  // The content, or the HTTP status of the refusal.
  std::string got(std::string_view path) {
    const Result<UniqueFd> fd = GetParam()(folder_.get(), path);
    if (!fd.ok()) return std::to_string(fd.status().http_status());
    std::array<char, 100> bytes{};
    const ssize_t n = read(fd->get(), bytes.data(), bytes.size());
    return n < 0 ? "unreadable" : std::string(bytes.data(), static_cast<std::size_t>(n));
  }

  TempFolder outside_, inside_;
  UniqueFd folder_;
};

TEST_P(OpenBeneath, OpensWhatIsInside) {
  EXPECT_EQ(got("a/b"), "text");
  EXPECT_EQ(got("a"), "unreadable");
  EXPECT_EQ(got("c"), "404");
  EXPECT_EQ(got("a/b/c"), "404");
  EXPECT_EQ(got(std::string(5000, 'x')), "404");
}

TEST_P(OpenBeneath, RefusesPathsThatAreNotPlain) {
  for (const char* path :
       {"", "/", "/a/b", "a/", "a//b", "./a/b", "a/./b", "../a", "a/..", "a/../a/b", ".", ".."}) {
    EXPECT_EQ(got(path), "404") << path;
  }
  EXPECT_EQ(got(inside_.path("a/b").string()), "404");
  EXPECT_EQ(got(std::string_view("a/b\0", 4)), "404");
}

TEST_P(OpenBeneath, NeverFollowsALinkThatLeadsOutside) {
  inside_.link("absolute", outside_.path("secret").string());
  inside_.link("relative",
               "../" + outside_.path("secret").parent_path().filename().string() + "/secret");
  inside_.link("folder", outside_.path().string());
  inside_.link("root", "/");
  inside_.link("a/up", "../..");
  inside_.link("proc", "/proc/self/root");
  for (const char* path :
       {"absolute", "relative", "folder/secret", "root/etc/passwd", "proc/etc/passwd"}) {
    EXPECT_EQ(got(path), "404") << path;
  }
  EXPECT_EQ(got("a/up/" + outside_.path().filename().string() + "/secret"), "404");
}

TEST_P(OpenBeneath, EndsALoopOfLinks) {
  inside_.link("one", "two");
  inside_.link("two", "one");
  EXPECT_EQ(got("one"), "404");
}

TEST_P(OpenBeneath, DoesNotWaitForAFifo) {
  ASSERT_EQ(mkfifo(inside_.path("fifo").c_str(), 0600), 0);
  EXPECT_EQ(got("fifo"), "");
}

TEST_P(OpenBeneath, TellsOfMissingPermission) {
  if (geteuid() == 0) GTEST_SKIP() << "root may read all";
  ASSERT_EQ(chmod(inside_.path("a/b").c_str(), 0), 0);
  EXPECT_EQ(got("a/b"), "403");
}

INSTANTIATE_TEST_SUITE_P(Openat2, OpenBeneath, testing::Values(&open_beneath));
INSTANTIATE_TEST_SUITE_P(Walking, OpenBeneath, testing::Values(&walk_beneath));

TEST(OpenBeneathLinks, AreFollowedInsideByOpenat2Alone) {
  const TempFolder inside;
  inside.write("..data/b", "text");
  inside.link("b", "..data/b");
  inside.link("folder", "..data");
  const UniqueFd folder(open(inside.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  for (const char* path : {"b", "folder/b"}) {
    const Result<UniqueFd> walked = walk_beneath(folder.get(), path);
    EXPECT_EQ(walked.status().http_status(), 404u) << path;
    const Result<UniqueFd> opened = open_beneath(folder.get(), path);
    if (!opened.ok()) GTEST_SKIP() << "there is no openat2 here";
    std::array<char, 5> bytes{};
    EXPECT_EQ(read(opened->get(), bytes.data(), bytes.size()), 4);
    EXPECT_STREQ(bytes.data(), "text");
  }
}

}  // namespace
}  // namespace bentohost::http
