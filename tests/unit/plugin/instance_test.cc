// A service's life in the host process: each step once, in order, and finished steps are undone.
#include "plugin/instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "fakes/fake_plugin.h"

namespace bentohost::plugin {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Instance, GoesThroughItsStepsInOrder) {
  fakes::FakePlugin plugin;
  {
    auto instance = plugin.instance();
    ASSERT_TRUE(instance.ok()) << instance.status().message();
    EXPECT_EQ((*instance)->spec().name, "fake");
    EXPECT_EQ(to_view(plugin.host->plugin_dir), "/plugins");
    EXPECT_TRUE((*instance)->create().ok());
    EXPECT_TRUE((*instance)->start().ok());
    EXPECT_EQ((*instance)->self(), &plugin);
    EXPECT_TRUE((*instance)->ready().ok());
    (*instance)->stop();
  }
  EXPECT_THAT(plugin.steps, ElementsAre("open", "create", "on_startup", "on_ready", "on_shutdown",
                                        "destroy", "close"));
}

TEST(Instance, UndoesOnlyWhatWasDone) {
  using Steps = std::vector<std::string>;
  const std::pair<const char*, Steps> cases[] = {
      {"create", {"open", "create", "close"}},
      {"on_startup", {"open", "create", "on_startup", "destroy", "close"}},
  };
  for (const auto& [fails_in, steps] : cases) {
    fakes::FakePlugin plugin;
    plugin.fails_in = fails_in;
    {
      auto instance = plugin.instance();
      Status status = (*instance)->create();
      if (status.ok()) status = (*instance)->start();
      EXPECT_EQ(status.code(), BENTO_UNAVAILABLE);
      EXPECT_THAT(status.message(),
                  HasSubstr(std::string("fake: ") + fails_in + " failed: no " + fails_in));
    }
    EXPECT_EQ(plugin.steps, steps);
  }
}

TEST(Instance, OutlivesAPluginThatThrows) {
  fakes::FakePlugin plugin;
  plugin.service.on_startup = [](void*, bento_error*) -> bento_code {
    throw std::runtime_error("no way");
  };
  plugin.service.destroy = [](void*) { throw 1; };
  auto instance = plugin.instance();
  ASSERT_TRUE((*instance)->create().ok());
  const Status status = (*instance)->start();
  EXPECT_EQ(status.code(), BENTO_INTERNAL);
  EXPECT_THAT(status.message(), HasSubstr("on_startup failed: an exception"));
  EXPECT_THAT(status.message(), HasSubstr("no way"));
  (*instance)->stop();
  EXPECT_EQ(plugin.steps.back(), "close");
}

TEST(Instance, NeedsNoHooks) {
  fakes::FakePlugin plugin;
  plugin.service.create = nullptr;
  plugin.service.on_startup = plugin.service.on_ready = plugin.service.on_shutdown = nullptr;
  plugin.service.destroy = nullptr;
  auto instance = plugin.instance();
  EXPECT_TRUE((*instance)->create().ok());
  EXPECT_TRUE((*instance)->start().ok());
  EXPECT_TRUE((*instance)->ready().ok());
  (*instance)->stop();
  EXPECT_THAT(plugin.steps, ElementsAre("open", "close"));
}

TEST(Instance, SaysWhyAPluginDidNotOpen) {
  fakes::FakePlugin plugin;
  plugin.fails_in = "open";
  const auto instance = plugin.instance();
  EXPECT_EQ(instance.status().code(), BENTO_UNAVAILABLE);
  EXPECT_EQ(instance.status().message(), "/plugins/libfake.so: open failed: no open");
  EXPECT_THAT(plugin.steps, ElementsAre("open"));
}

TEST(Instance, DoesNotTakeASilentFailureToOpenForSuccess) {
  fakes::FakePlugin plugin;
  plugin.fails_in = "open";
  plugin.code = BENTO_OK;  // the plugin does not set the error
  const auto instance = plugin.instance();
  EXPECT_FALSE(instance.ok());
  EXPECT_FALSE(instance.status().ok());
}

TEST(Instance, ClosesAPluginWhoseDescriptionItRefuses) {
  fakes::FakePlugin plugin;
  plugin.service.name = to_bento("not a name");
  EXPECT_THAT(plugin.instance().status().message(), HasSubstr("libfake.so: service name"));
  EXPECT_THAT(plugin.steps, ElementsAre("open", "close"));
}

}  // namespace
}  // namespace bentohost::plugin
