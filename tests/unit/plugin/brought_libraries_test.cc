// The libraries found for really built plugins, laid out as authors might do it.
#include "plugin/brought_libraries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::IsEmpty;

class BroughtLibrariesTest : public testing::Test {
 protected:
  BroughtLibrariesTest() {
    std::string name = testing::TempDir() + "brought.XXXXXX";
    root_ = ::mkdtemp(name.data());
    for (const char* folder : {"plugins/deps", "lib"}) fs::create_directories(root_ / folder);
  }
  ~BroughtLibrariesTest() override { fs::remove_all(root_); }

  std::string in(const std::string& path) const { return (root_ / path).string(); }
  std::string put(const std::string& built, const std::string& path) const {
    fs::copy_file(fs::path(TEST_PLUGINS_DIR) / built, root_ / path);
    return in(path);
  }
  static Brought find(const std::string& plugin) { return find_brought(plugin, elf_facts(plugin)); }
  static std::vector<std::string> places(const Brought& brought) {
    std::vector<std::string> all;
    for (const BroughtLibrary& library : brought.libraries) all.push_back(library.place);
    return all;
  }

  fs::path root_;
};

TEST_F(BroughtLibrariesTest, AreSearchedForInTheOrderOfTheLoader) {
  const std::string plugin = put("brought/libbrings.so", "plugins/libp.so");
  EXPECT_THAT(places(find(plugin)), IsEmpty());
  put("helper/libhelper.so", "lib/libhelper.so");
  EXPECT_THAT(places(find(plugin)), ElementsAre(in("lib/libhelper.so")));
  put("helper/libhelper.so", "plugins/deps/libhelper.so");
  EXPECT_THAT(places(find(plugin)), ElementsAre(in("plugins/deps/libhelper.so")));
  std::ofstream(in("plugins/libhelper.so")) << "no library, which the loader passes over";
  EXPECT_THAT(places(find(plugin)), ElementsAre(in("plugins/deps/libhelper.so")));
}

TEST_F(BroughtLibrariesTest, AreThoseOfTheOlderRpathToo) {
  const std::string plugin = put("brought/libbrings_rpath.so", "plugins/libp.so");
  put("helper/libhelper.so", "lib/libhelper.so");
  EXPECT_THAT(places(find(plugin)), ElementsAre(in("lib/libhelper.so")));
}

TEST_F(BroughtLibrariesTest, AreThoseOfLibrariesToo) {
  const std::string plugin = put("brought/libbrings.so", "plugins/libp.so");
  put("brought/libouter.so", "plugins/deps/libhelper.so");
  put("brought/libinner.so", "plugins/deps/libinner.so");
  EXPECT_THAT(places(find(plugin)),
              ElementsAre(in("plugins/deps/libhelper.so"), in("plugins/deps/libinner.so")));
}

TEST_F(BroughtLibrariesTest, OfAPluginThatIsALinkAreBesideTheLink) {
  put("brought/libbrings.so", "lib/libp.so");
  fs::create_symlink(in("lib/libp.so"), in("plugins/libp.so"));
  put("helper/libhelper.so", "plugins/deps/libhelper.so");
  EXPECT_THAT(places(find(in("plugins/libp.so"))), ElementsAre(in("plugins/deps/libhelper.so")));
}

TEST_F(BroughtLibrariesTest, AboveALinkAreAboveWhereItLeads) {
  fs::create_directories(in("releases/5/plugins"));
  put("brought/libbrings.so", "releases/5/plugins/libp.so");
  fs::create_directories(in("releases/5/lib"));
  put("helper/libhelper.so", "releases/5/lib/libhelper.so");
  fs::create_symlink(in("releases/5/plugins"), in("current"));
  const Brought brought = find(in("current/libp.so"));
  ASSERT_EQ(brought.libraries.size(), 1u);
  EXPECT_EQ(brought.libraries[0].source, in("current") + "/../lib/libhelper.so");
  EXPECT_EQ(brought.libraries[0].place, in("lib/libhelper.so"));
}

TEST_F(BroughtLibrariesTest, HaveNoPlaceWhereTheyAreFoundOtherwise) {
  const std::string plugin = put("brought/libbrings.so", "plugins/libp.so");
  put("helper/libhelper.so", "plugins/deps/libhelper.so");
  fs::create_directories(in("elsewhere"));
  put("helper/libhelper.so", "elsewhere/libhelper.so");
  ::setenv("LD_LIBRARY_PATH", in("elsewhere").c_str(), 1);
  const Brought brought = find(plugin);
  ::unsetenv("LD_LIBRARY_PATH");
  ASSERT_EQ(brought.libraries.size(), 1u);
  EXPECT_EQ(brought.libraries[0].source, in("elsewhere/libhelper.so"));
  EXPECT_EQ(brought.libraries[0].place, "");
}

TEST_F(BroughtLibrariesTest, NeededByARelativePathAreNobodysBusiness) {
  const std::string plugin = put("brought/libbrings.so", "plugins/libp.so");
  std::ifstream file(plugin, std::ios::binary);
  std::string bytes{std::istreambuf_iterator<char>(file), {}};
  constexpr std::string_view kName = "libhelper.so", kPath = "../lib/hp.so";
  bytes.replace(bytes.find(kName), kName.size(), kPath);
  fs::remove(plugin);
  std::ofstream(plugin, std::ios::binary) << bytes;
  ASSERT_THAT(elf_facts(plugin).needed, testing::Contains(std::string(kPath)));
  put("helper/libhelper.so", "lib/hp.so");
  EXPECT_THAT(places(find(plugin)), IsEmpty());
}

TEST_F(BroughtLibrariesTest, AreInFoldersThatTheLoaderSearches) {
  const std::string plugin = put("brought/libopens_by_name.so", "plugins/libp.so");
  std::vector<std::string> folders;
  for (const BroughtFolder& folder : find(plugin).folders) folders.push_back(folder.place);
  EXPECT_THAT(folders, ElementsAre(in("plugins"), in("plugins/deps"), in("lib")));
}

}  // namespace
}  // namespace bentohost::plugin
