#include "app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::app {
namespace {

TEST(ParsePlugin, SplitsThePrefixFromTheLibrary) {
  EXPECT_EQ((*parse_plugin("libx.so")).library, "libx.so");
  const auto mounted = parse_plugin("/a/b=./libx.so");
  EXPECT_EQ((*mounted).prefix, "/a/b");
  EXPECT_EQ((*mounted).library, "./libx.so");
  EXPECT_EQ((*parse_plugin("/=libx.so")).prefix, "");
  EXPECT_EQ(mounted->name, "");
}

TEST(ParsePlugin, TakesANameForTheService) {
  struct Case {
    const char *text, *name, *prefix, *library;
  };
  for (const Case& one :
       {Case{"a=libx.so", "a", "/a", "libx.so"}, Case{"a/=libx.so", "a", "", "libx.so"},
        Case{"a/v1=libx.so", "a", "/v1", "libx.so"},
        Case{"a/v1/b/=./x=y/libx.so", "a", "/v1/b", "./x=y/libx.so"},
        Case{"metrics/m=x", "metrics", "/m", "x"}}) {
    const auto plugin = parse_plugin(one.text);
    ASSERT_TRUE(plugin.ok()) << one.text << ": " << plugin.status().message();
    EXPECT_EQ(plugin->name, one.name) << one.text;
    EXPECT_EQ(plugin->prefix, one.prefix) << one.text;
    EXPECT_EQ(plugin->library, one.library) << one.text;
  }
}

TEST(ParsePlugin, SaysWhatIsNoName) {
  for (const auto& [text, why] :
       {std::pair{"1a=x", "\"1a\" is no name for a service"}, std::pair{"a-b=x", "is no name"},
        std::pair{"./dir=x/libx.so", "\".\" is no name"},
        std::pair{"metrics=x", "/metrics is a page of bentohost itself"},
        std::pair{"=x", "expected [[NAME][/PREFIX]=]LIBRARY"},
        std::pair{"a/p=", "expected [[NAME][/PREFIX]=]LIBRARY"}, std::pair{"a//p=x", "prefix: "}}) {
    EXPECT_THAT(parse_plugin(text).status().message(), testing::HasSubstr(why)) << text;
  }
}

TEST(ParsePlugin, RefusesWhatCannotBeARoute) {
  for (const char* text : {"", "/a=", "/a?b=libx.so", "//a=libx.so", "/{a}=libx.so"}) {
    EXPECT_FALSE(parse_plugin(text).ok()) << text;
  }
}

TEST(ParseMount, SplitsThePrefixFromTheApp) {
  const auto root = parse_mount("/=asgi:fastapi_app:app");
  ASSERT_TRUE(root.ok()) << root.status().message();
  EXPECT_EQ(root->prefix, "");
  EXPECT_EQ(root->app.app, "fastapi_app:app");
  const auto mount = parse_mount("/a/b=http:serve --x=1");
  EXPECT_EQ(mount->prefix, "/a/b");
  EXPECT_EQ(mount->app.command, (std::vector<std::string>{"serve", "--x=1"}));
  EXPECT_EQ(parse_mount("/old/=wsgi:a:f(n=1)")->prefix, "/old");
  EXPECT_TRUE(parse_mount("/metrics/mine=asgi:a:b").ok());
}

TEST(ParseMount, SaysWhatIsWrong) {
  for (const auto& [text, why] : {
           std::pair{"", "expected /PREFIX=KIND:APP"},
           std::pair{"asgi:a:b", "expected /PREFIX=KIND:APP"},
           std::pair{"old=asgi:a:b", "expected /PREFIX=KIND:APP"},
           std::pair{"=asgi:a:b", "expected /PREFIX=KIND:APP"},
           std::pair{"/old", "expected /PREFIX=KIND:APP"},
           std::pair{"//=asgi:a:b", "prefix: route \"//\" starts with more than one '/'"},
           std::pair{"/a//b=asgi:a:b", "prefix: \"/a//b\" has an empty segment"},
           std::pair{"/a//=asgi:a:b", "prefix: \"/a//\" has an empty segment"},
           std::pair{"/a/../b=asgi:a:b", "has a \".\" or \"..\" segment"},
           std::pair{"/{a}=asgi:a:b", "a prefix is literal"},
           std::pair{"/a b=asgi:a:b", "has white space"},
           std::pair{"/a?b=asgi:a:b", "has a query"},
           std::pair{"/metrics=asgi:a:b", "prefix: /metrics is a page of bentohost itself"},
           std::pair{"/docs/=asgi:a:b", "prefix: /docs is a page of bentohost itself"},
           std::pair{"/old=", "is not an app; expected KIND:APP"},
           std::pair{"/old=libx.so", "is not an app; expected KIND:APP"},
           std::pair{"/old=wsgi:a", "expected MODULE:APP"},
       }) {
    EXPECT_THAT(parse_mount(text).status().message(), testing::HasSubstr(why)) << text;
  }
}

TEST(ParseSetting, SplitsAtTheFirstDotAndTheFirstEquals) {
  const auto setting = parse_setting("svc.opt.x=a=b.c");
  EXPECT_EQ((*setting).service, "svc");
  EXPECT_EQ((*setting).option, "opt.x");
  EXPECT_EQ((*setting).value, "a=b.c");
  for (const char* text : {"", "a", "a=b", "a.b", ".b=c", "a.=c", "=a.b"}) {
    EXPECT_FALSE(parse_setting(text).ok()) << text;
  }
}

TEST(SettingsJson, TakesJsonIfItParsesElseText) {
  const std::vector<Setting> settings = {
      {"a", "n", "1"}, {"a", "t", "one"}, {"b", "n", "2"}, {"a", "n", "[3]"}, {"a", "q", "\"1\""}};
  EXPECT_EQ(settings_json(settings, "a"), R"({"t":"one","n":[3],"q":"1"})");
  EXPECT_EQ(settings_json(settings, "c"), "{}");
}

TEST(CheckRunnerNames, TakesANameThatMeansOneRunner) {
  const std::vector<std::string> runners = {"a.clf", "b.clf", "b.other"};
  EXPECT_TRUE(check_runner_names({}, {}).ok());
  EXPECT_TRUE(check_runner_names({{"other", 2}, {"a.clf", 1}, {"b.clf", 3}}, runners).ok());
}

TEST(CheckRunnerNames, NamesTheCandidatesOfOneThatMeansSeveral) {
  EXPECT_EQ(check_runner_names({{"clf", 2}}, {"a.clf", "b.clf", "b.other"}).message(),
            "--runner-workers clf=2: several services have such a runner; say which: a.clf, b.clf");
}

TEST(CheckRunnerNames, ListsWhatThereIs) {
  for (const char* name : {"nosuch", "a.other", "lf", ".clf", "c.clf"}) {
    EXPECT_EQ(check_runner_names({{name, 2}}, {"a.clf", "b.other"}).message(),
              std::string("--runner-workers ") + name +
                  "=2: there is no such runner; here is a.clf, b.other");
  }
  EXPECT_EQ(check_runner_names({{"clf", 2}}, {}).message(),
            "--runner-workers clf=2: there is no such runner; there are none");
}

TEST(SettingsJson, KeepsValuesAsTheyWereTyped) {
  const std::vector<Setting> settings = {
      {"a", "version", "1"}, {"a", "version", "1.10"}, {"a", "big", "12345678901234567890123"}};
  EXPECT_EQ(settings_json(settings, "a"), R"({"version":1.10,"big":12345678901234567890123})");
  std::vector<Setting> used;
  ASSERT_TRUE(parse_use(R"(cors={"max_age": 1.10, "list": [ 1 ]})", used).ok());
  ASSERT_EQ(used.size(), 2u);
  EXPECT_EQ(used[0].value, "1.10");
  EXPECT_EQ(used[1].value, "[ 1 ]");
}

}  // namespace
}  // namespace bentohost::app
