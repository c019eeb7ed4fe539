// A service's life in the host process: each step once, in order, and finished steps are undone.
#include "plugin/instance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstddef>
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

TEST(Instance, IsDescribedAfterItsOptionsAreKnown) {
  fakes::FakePlugin plugin;
  const bento_service whole = plugin.service;
  plugin.service.n_apis = 0;
  plugin.configure(whole);
  {
    auto instance = plugin.instance();
    ASSERT_TRUE(instance.ok()) << instance.status().message();
    EXPECT_EQ((*instance)->spec().apis.size(), 2u);
    EXPECT_EQ((*instance)->spec().abi, &whole);
  }
  EXPECT_THAT(plugin.steps, ElementsAre("open", "configure", "close"));
}

TEST(Instance, DoesNotAskAPluginOfAnOlderMinorToConfigure) {
  fakes::FakePlugin plugin;
  plugin.configure(plugin.service);
  plugin.entry.size = offsetof(bento_plugin_entry, configure);
  EXPECT_TRUE(plugin.instance().ok());
  EXPECT_THAT(plugin.steps, ElementsAre("open", "close"));
}

TEST(Instance, TellsInThePluginsWordsWhyItCannotBeConfigured) {
  fakes::FakePlugin plugin;
  plugin.configure(plugin.service);
  plugin.fails_in = "configure";
  EXPECT_EQ(plugin.instance().status().message(),
            "/plugins/libfake.so: configure failed: no configure");
  plugin.code = BENTO_OK;  // no service, and no error either
  EXPECT_EQ(plugin.instance().status().message(), "/plugins/libfake.so: configure failed: UNKNOWN");
  plugin.entry.configure = [](const bento_host*, bento_error*) -> const bento_service* {
    throw std::runtime_error("no way");
  };
  EXPECT_THAT(plugin.instance().status().message(),
              HasSubstr("configure failed: an exception was thrown across the ABI: no way"));
  EXPECT_EQ(plugin.steps.back(), "close");
}

TEST(Instance, KeepsItsNameAndOptionsWhenItIsConfigured) {
  fakes::FakePlugin plugin;
  bento_service other = plugin.service;
  plugin.configure(other);
  other.name = to_bento("other");
  EXPECT_THAT(plugin.instance().status().message(),
              HasSubstr("configure has changed the service's name from fake to other"));
  other.name = plugin.service.name;
  other.options_schema = to_bento(R"({"type":"object"})");
  EXPECT_THAT(plugin.instance().status().message(),
              HasSubstr("configure has changed the options of service fake"));
  other.options_schema = {};
  other.size = 8;
  EXPECT_THAT(plugin.instance().status().message(),
              HasSubstr("after configure: a bento_service of size 8"));
}

TEST(Instance, GoesByTheOperatorsName) {
  fakes::FakePlugin plugin;
  const auto own = plugin.instance();
  EXPECT_EQ(to_view(plugin.host->instance), "fake");
  const auto named = plugin.instance("first");
  EXPECT_EQ(to_view(plugin.host->instance), "first");
  EXPECT_EQ((*named)->spec().name, "first");
  EXPECT_EQ((*named)->spec().hash, (*own)->spec().hash);
}

TEST(Instance, IsThatWhichWasTriedOut) {
  fakes::FakePlugin plugin;
  const std::string hash = (*plugin.instance())->spec().hash;
  EXPECT_TRUE(plugin.instance({}, hash).ok());
  plugin.service.version = to_bento("2");
  const Status status = plugin.instance({}, hash).status();
  EXPECT_EQ(status.code(), BENTO_UNAVAILABLE);
  EXPECT_THAT(status.message(), HasSubstr("the description of service fake has changed"));
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
