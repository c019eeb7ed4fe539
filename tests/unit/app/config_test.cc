#include "app/config.h"

#include <gtest/gtest.h>

namespace bentohost::app {
namespace {

using namespace std::chrono_literals;

TEST(ParsePlugin, SplitsThePrefixFromTheLibrary) {
  EXPECT_EQ((*parse_plugin("libx.so")).library, "libx.so");
  const auto mounted = parse_plugin("/a/b=./libx.so");
  EXPECT_EQ((*mounted).prefix, "/a/b");
  EXPECT_EQ((*mounted).library, "./libx.so");
  EXPECT_EQ((*parse_plugin("/=libx.so")).prefix, "");
}

TEST(ParsePlugin, RefusesWhatCannotBeARoute) {
  for (const char* text : {"", "/a=", "a=libx.so", "/a?b=libx.so", "//a=libx.so", "/{a}=libx.so"}) {
    EXPECT_FALSE(parse_plugin(text).ok()) << text;
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

TEST(ParseSize, KnowsItsUnits) {
  EXPECT_EQ(*parse_size("0"), 0u);
  EXPECT_EQ(*parse_size("64k"), 65536u);
  EXPECT_EQ(*parse_size("1G"), 1u << 30);
  for (const char* text : {"", "k", "-1", "1x", "1.5m", "99999999999999999999", "99999999999g"}) {
    EXPECT_FALSE(parse_size(text).ok()) << text;
  }
}

TEST(ParseSeconds, TakesFractionsAndNoNonsense) {
  EXPECT_EQ(*parse_seconds("0.25"), 250ms);
  for (const char* text : {"", "0", "-1", "nan", "inf", "1e9", "1s"}) {
    EXPECT_FALSE(parse_seconds(text).ok()) << text;
  }
}

TEST(SettingsJson, TakesJsonIfItParsesElseText) {
  const std::vector<Setting> settings = {
      {"a", "n", "1"}, {"a", "t", "one"}, {"b", "n", "2"}, {"a", "n", "[3]"}, {"a", "q", "\"1\""}};
  EXPECT_EQ(settings_json(settings, "a"), R"({"t":"one","n":[3],"q":"1"})");
  EXPECT_EQ(settings_json(settings, "c"), "{}");
}

}  // namespace
}  // namespace bentohost::app
