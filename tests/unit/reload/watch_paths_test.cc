// The folders to watch for changes of a file, on real links.
#include "reload/watch_paths.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp() is POSIX

#include <filesystem>
#include <fstream>

namespace bentohost::reload {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::UnorderedElementsAre;

class FoldersToWatchTest : public testing::Test {
 protected:
  FoldersToWatchTest() {
    std::string name = testing::TempDir() + "watch_paths_XXXXXX";
    root_ = fs::canonical(::mkdtemp(name.data()));
  }
  ~FoldersToWatchTest() override { fs::remove_all(root_); }

  std::string in(const std::string& path) const { return (root_ / path).string(); }
  void make(const std::string& path) const {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << "x";
  }

  fs::path root_;
};

TEST_F(FoldersToWatchTest, IsThatOfAFile) {
  make("a/libx.so");
  EXPECT_THAT(folders_to_watch(in("a/libx.so")), UnorderedElementsAre(in("a")));
}

TEST_F(FoldersToWatchTest, IsThatOfAFileThatIsNotThere) {
  EXPECT_THAT(folders_to_watch(in("a/libx.so")), UnorderedElementsAre(in("a")));
}

TEST_F(FoldersToWatchTest, AreThoseOfALinkAndOfWhatItLeadsTo) {
  make("b/libx.so");
  fs::create_directory(root_ / "a");
  fs::create_symlink("../b/libx.so", root_ / "a" / "libx.so");
  EXPECT_THAT(folders_to_watch(in("a/libx.so")), UnorderedElementsAre(in("a"), in("b")));
}

// libx.so -> ..data/libx.so, and ..data -> ..2026_11_27
TEST_F(FoldersToWatchTest, AreThoseOfEachLinkOnTheWay) {
  make("..2026_11_27/libx.so");
  fs::create_symlink("..2026_11_27", root_ / "..data");
  fs::create_symlink("..data/libx.so", root_ / "libx.so");
  EXPECT_THAT(folders_to_watch(in("libx.so")),
              UnorderedElementsAre(root_.string(), in("..data"), in("..2026_11_27")));
}

TEST_F(FoldersToWatchTest, EndWithLinksThatLeadToThemselves) {
  fs::create_symlink("b", root_ / "a");
  fs::create_symlink("a", root_ / "b");
  EXPECT_THAT(folders_to_watch(in("a")), Contains(root_.string()));
}

}  // namespace
}  // namespace bentohost::reload
