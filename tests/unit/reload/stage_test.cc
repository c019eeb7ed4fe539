#include "reload/stage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>

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

}  // namespace
}  // namespace bentohost::reload
