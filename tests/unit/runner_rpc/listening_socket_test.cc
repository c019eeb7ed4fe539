#include "runner_rpc/listening_socket.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>

namespace bentohost::runner_rpc {
namespace {

using testing::HasSubstr;
using IfTaken = ListeningSocket::IfTaken;

class ListeningSocketTest : public testing::Test {
 protected:
  ListeningSocketTest() {
    char folder[] = "/tmp/bento_test_XXXXXX";
    EXPECT_NE(::mkdtemp(folder), nullptr);
    folder_ = folder;
    path_ = folder_ + "/runners";
  }
  ~ListeningSocketTest() override { std::filesystem::remove_all(folder_); }

  bool answers() const {
    const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path_.data(), path_.size());
    return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder_), {}));
  }

  std::string folder_, path_;
};

TEST_F(ListeningSocketTest, IsForItsUserAloneAndGoesAtTheEnd) {
  {
    const auto socket = ListeningSocket::open(path_, IfTaken::kRefuse);
    ASSERT_TRUE(socket.ok()) << socket.status().message();
    struct stat info {};
    ASSERT_EQ(::stat(path_.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    EXPECT_TRUE(answers());
    EXPECT_EQ(files(), 1u);
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(ListeningSocketTest, RefusesAPathAtWhichAnotherListens) {
  const auto first = ListeningSocket::open(path_, IfTaken::kRefuse);
  const auto second = ListeningSocket::open(path_, IfTaken::kRefuse);
  EXPECT_THAT(second.status().message(), HasSubstr("another process listens there"));
  EXPECT_TRUE(answers());
  EXPECT_EQ(files(), 1u);
}

TEST_F(ListeningSocketTest, ReplacesASocketOnWhichNobodyListens) {
  {
    const auto killed = ListeningSocket::open(path_, IfTaken::kRefuse);
    std::filesystem::rename(path_, path_ + ".kept");  // a killed process does not remove its file
  }
  std::filesystem::rename(path_ + ".kept", path_);
  EXPECT_FALSE(answers());
  const auto socket = ListeningSocket::open(path_, IfTaken::kRefuse);
  ASSERT_TRUE(socket.ok()) << socket.status().message();
  EXPECT_TRUE(answers());
}

TEST_F(ListeningSocketTest, TakesThePathOverAndTheOldOneLeavesItAlone) {
  auto first = std::make_optional(ListeningSocket::open(path_, IfTaken::kRefuse));
  const auto second = ListeningSocket::open(path_, IfTaken::kReplace);
  ASSERT_TRUE(second.ok()) << second.status().message();
  first.reset();
  EXPECT_TRUE(answers()) << "the second one";
}

TEST_F(ListeningSocketTest, LeavesAFileThatIsNoSocketAlone) {
  std::ofstream(path_) << "mine";
  for (const IfTaken if_taken : {IfTaken::kRefuse, IfTaken::kReplace}) {
    const auto socket = ListeningSocket::open(path_, if_taken);
    EXPECT_THAT(socket.status().message(), HasSubstr("no socket"));
  }
  EXPECT_EQ(std::filesystem::file_size(path_), 4u);
}

TEST_F(ListeningSocketTest, RefusesPathsThatCannotBe) {
  EXPECT_THAT(ListeningSocket::open("", IfTaken::kRefuse).status().message(), HasSubstr("empty"));
  EXPECT_THAT(
      ListeningSocket::open(path_ + std::string(100, 'x'), IfTaken::kRefuse).status().message(),
      HasSubstr("choose a shorter one"));
  EXPECT_THAT(ListeningSocket::open(folder_ + "/none/x", IfTaken::kRefuse).status().message(),
              HasSubstr("No such file"));
}

}  // namespace
}  // namespace bentohost::runner_rpc
