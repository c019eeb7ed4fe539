// Where a plugin is searched, and which entry is taken. The end-to-end tests load real
// libraries.
#include "plugin/library.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class FindPluginTest : public testing::Test {
 protected:
  FindPluginTest() {
    std::string name = testing::TempDir() + "find_plugin.XXXXXX";
    root_ = ::mkdtemp(name.data());
    for (const char* folder : {"a", "b"}) {
      fs::create_directory(root_ / folder);
      std::ofstream(root_ / folder / "libx.so") << folder;
    }
    std::ofstream(root_ / "b" / "liby.so") << "y";
  }
  ~FindPluginTest() override { fs::remove_all(root_); }

  std::string in(const std::string& path) const { return (root_ / path).string(); }

  fs::path root_;
};

TEST_F(FindPluginTest, TakesTheFirstFolderThatHasIt) {
  const std::vector<std::string> folders = {"", in("a"), in("b")};
  EXPECT_EQ(*find_plugin("libx.so", folders), in("a/libx.so"));
  EXPECT_EQ(*find_plugin("liby.so", folders), in("b/liby.so"));
}

TEST_F(FindPluginTest, TakesANameWithoutItsPrefixAndSuffix) {
  const std::vector<std::string> folders{in("a"), in("b")};
  EXPECT_EQ(*find_plugin("x", folders), in("a/libx.so"));
  EXPECT_EQ(*find_plugin("y", folders), in("b/liby.so"));
  fs::create_directory(in("a/y"));  // a folder with the name is not a plugin
  EXPECT_EQ(*find_plugin("y", folders), in("b/liby.so"));
  EXPECT_THAT(find_plugin("z", folders).status().message(), HasSubstr("plugin libz.so is not in"));
}

TEST_F(FindPluginTest, TakesAPathAsItIs) {
  EXPECT_EQ(*find_plugin(in("a/../b/liby.so"), {in("a")}), in("b/liby.so"));
  EXPECT_THAT(find_plugin("a/libx.so", {root_.string()}).status().message(),
              HasSubstr("a/libx.so: no such file"))
      << "a path is not looked for in the folders";
}

TEST_F(FindPluginTest, FindsRelativePathsFromHere) {
  const fs::path before = fs::current_path();
  fs::current_path(root_ / "a");
  const auto path = find_plugin("./libx.so", {});
  const auto bare = find_plugin("libx.so", {"."});
  const fs::path here = fs::current_path();
  fs::current_path(before);
  EXPECT_EQ(*path, (here / "libx.so").string());
  EXPECT_EQ(*bare, *path);
}

TEST_F(FindPluginTest, SaysWhereItLooked) {
  const Status status = find_plugin("libz.so", {in("a"), in("b")}).status();
  EXPECT_EQ(status.code(), BENTO_NOT_FOUND);
  EXPECT_THAT(status.message(), HasSubstr("libz.so is not in " + in("a") + ", " + in("b")));
  EXPECT_THAT(status.message(), HasSubstr("./libz.so"));
}

class CheckEntryTest : public testing::Test {
 protected:
  CheckEntryTest() {
    entry_.size = sizeof entry_;
    entry_.abi_major = BENTO_ABI_MAJOR;
    entry_.abi_minor = BENTO_ABI_MINOR;
    entry_.built_with = "bento-sdk 9.9";
    entry_.open = [](const bento_host*, bento_error*) -> const bento_service* { return nullptr; };
    entry_.close = [] {};
  }
  std::string refusal() const { return check_entry(entry_).message(); }

  bento_plugin_entry entry_{};
};

TEST_F(CheckEntryTest, TakesItsOwnVersion) { EXPECT_EQ(refusal(), ""); }

TEST_F(CheckEntryTest, TakesANewerMinorWhichHasAllThatThisOneHas) {
  ++entry_.abi_minor;
  entry_.size += sizeof(void*);  // a newer ABI has appended a field
  EXPECT_EQ(refusal(), "");
}

TEST_F(CheckEntryTest, RefusesAnotherMajorWithBothVersions) {
  entry_.abi_major = 2;
  entry_.abi_minor = 0;
  EXPECT_THAT(refusal(), HasSubstr("plugin ABI 2.0 (bento-sdk 9.9), this bentohost speaks 1.1"));
  entry_.abi_major = 0;
  EXPECT_THAT(refusal(), HasSubstr("plugin ABI 0.0"));
}

TEST_F(CheckEntryTest, ReadsNothingBeyondTheEntrysSize) {
  entry_.size = offsetof(bento_plugin_entry, built_with);
  entry_.built_with = reinterpret_cast<const char*>(1);
  EXPECT_THAT(refusal(), HasSubstr("lacks open or close"));
  entry_.abi_major = 2;
  EXPECT_THAT(refusal(), HasSubstr("(unknown)"));
  entry_.size = 3;
  EXPECT_THAT(refusal(), HasSubstr("not a plugin entry"));
}

}  // namespace
}  // namespace bentohost::plugin
