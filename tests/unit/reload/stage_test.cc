#include "reload/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace bentohost::reload {
namespace {

using testing::ElementsAre;
using testing::EndsWith;

class PluginFoldersTest : public testing::Test {
 protected:
  ~PluginFoldersTest() override { ::unsetenv("BENTOHOST_PLUGIN_PATH"); }
};

TEST_F(PluginFoldersTest, AreThatOfTheInstallationAndHere) {
  ::unsetenv("BENTOHOST_PLUGIN_PATH");
  EXPECT_THAT(plugin_folders("/opt/bento/bin/bentohost", "lib/bentohost/plugins"),
              ElementsAre(EndsWith("/bentohost/plugins"), "."));
  EXPECT_TRUE(plugin_folders("/opt/bento/bin/bentohost", "lib/bentohost/plugins")[0].starts_with(
      "/opt/bento/"));
}

TEST_F(PluginFoldersTest, BeginWithThoseOfTheEnvironment) {
  ::setenv("BENTOHOST_PLUGIN_PATH", ":/a::/b/c:", 1);
  EXPECT_THAT(plugin_folders("/opt/bento/bin/bentohost", "lib/bentohost/plugins"),
              ElementsAre("/a", "/b/c", EndsWith("/bentohost/plugins"), "."));
}

class StateOfFilesTest : public testing::Test {
 protected:
  StateOfFilesTest() {
    std::string name = testing::TempDir() + "state_of_files.XXXXXX";
    folder_ = ::mkdtemp(name.data());
    put("a.txt", "1");
  }
  ~StateOfFilesTest() override { std::filesystem::remove_all(folder_); }

  void put(const std::string& name, const std::string& text) const {
    std::ofstream(folder_ / name) << text;
  }
  std::string state() const {
    return state_of_files({(folder_ / "a.txt").string(), (folder_ / "b.txt").string()});
  }

  std::filesystem::path folder_;
};

TEST_F(StateOfFilesTest, IsTheSameWhileNothingChanges) {
  EXPECT_EQ(state(), state());
  EXPECT_EQ(state_of_files({}), "");
}

TEST_F(StateOfFilesTest, ChangesWithEachFile) {
  const std::string first = state();
  put("a.txt", "12");  // in place
  const std::string longer = state();
  EXPECT_NE(longer, first);
  put("new.txt", "12");
  std::filesystem::rename(folder_ / "new.txt", folder_ / "a.txt");
  const std::string replaced = state();
  EXPECT_NE(replaced, longer);
  put("b.txt", "");  // it was missing
  EXPECT_NE(state(), replaced);
  std::filesystem::remove(folder_ / "b.txt");
  EXPECT_EQ(state(), replaced);
}

}  // namespace
}  // namespace bentohost::reload
