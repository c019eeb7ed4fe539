#include "upstream/process/socket_folder.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

namespace bentohost::upstream {
namespace {

class SocketFolderTest : public testing::Test {
 protected:
  SocketFolderTest() {
    std::string name = testing::TempDir() + "/sockets-XXXXXX";
    parent_ = ::mkdtemp(name.data());
  }
  ~SocketFolderTest() override { std::filesystem::remove_all(parent_); }
  std::string parent_;
};

TEST_F(SocketFolderTest, IsPrivateAndIsRemovedWithWhatIsInIt) {
  std::string path;
  {
    auto folder = SocketFolder::create(parent_);
    ASSERT_TRUE(folder.ok()) << folder.status().message();
    path = folder->path();
    struct stat info {};
    ASSERT_EQ(::stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 07777, 0700u);
    std::ofstream(*folder->fresh()) << "left behind";
  }
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SocketFolderTest, GivesEachNameOnceAndAllShort) {
  auto folder = SocketFolder::create(parent_);
  ASSERT_TRUE(folder.ok());
  const std::string first = *folder->fresh(), second = *folder->fresh();
  EXPECT_NE(first, second);
  EXPECT_LT(second.size(), 108u);
}

TEST_F(SocketFolderTest, IsMadeAnewIfACleanerRemovedIt) {
  auto folder = SocketFolder::create(parent_);
  ASSERT_TRUE(folder.ok());
  std::filesystem::remove_all(folder->path());
  ASSERT_TRUE(folder->fresh().ok());
  EXPECT_TRUE(std::filesystem::is_directory(folder->path()));
}

TEST_F(SocketFolderTest, RefusesAFolderThatOthersCanEnter) {
  auto folder = SocketFolder::create(parent_);
  ASSERT_TRUE(folder.ok());
  std::filesystem::permissions(folder->path(), std::filesystem::perms(0755));
  EXPECT_EQ(folder->fresh().status().code(), BENTO_PERMISSION_DENIED);
}

TEST_F(SocketFolderTest, RefusesPathsThatAreTooLongForSockets) {
  const std::string deep = parent_ + "/" + std::string(80, 'x');
  std::filesystem::create_directory(deep);
  const Status status = SocketFolder::create(deep).status();
  EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
  EXPECT_NE(status.message().find("too long"), std::string::npos);
}

TEST_F(SocketFolderTest, SaysWhichFolderIsMissing) {
  const Status status = SocketFolder::create(parent_ + "/none").status();
  EXPECT_NE(status.message().find(parent_ + "/none: No such file"), std::string::npos)
      << status.message();
}

}  // namespace
}  // namespace bentohost::upstream
