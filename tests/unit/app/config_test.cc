#include "app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

TEST(ParsePlugin, SplitsThePrefixFromTheLibrary) {
  EXPECT_EQ((*parse_plugin("libx.so")).library, "libx.so");
  const auto mounted = parse_plugin("/a/b=./libx.so");
  EXPECT_EQ((*mounted).prefix, "/a/b");
  EXPECT_EQ((*mounted).library, "./libx.so");
  EXPECT_EQ((*parse_plugin("/=libx.so")).prefix, "");
}

TEST(ParsePlugin, RefusesWhatCannotBeARoute) {
  for (const char* text : {"", "/a=", "a=libx.so", "/a?b=libx.so", "//a=libx.so"}) {
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

TEST(CommandLine, ReadsEachOption) {
  const auto line = parse_command_line({"--plugin",
                                        "liba.so",
                                        "--plugin=/b=libb.so",
                                        "--host",
                                        "::1",
                                        "--port=8080",
                                        "--threads",
                                        "9",
                                        "--runner-workers",
                                        "2",
                                        "--runner-workers",
                                        "clf=3",
                                        "--timeout",
                                        "1.5",
                                        "--max-body",
                                        "1k",
                                        "--log-level",
                                        "debug",
                                        "--log-format",
                                        "json",
                                        "--access-log",
                                        "off",
                                        "--set",
                                        "a.b=c"});
  ASSERT_TRUE(line.ok()) << line.status().message();
  const Config& config = (*line).config;
  EXPECT_EQ(config.plugins.size(), 2u);
  EXPECT_EQ(config.plugins[1].prefix, "/b");
  EXPECT_EQ(config.host, "::1");
  EXPECT_EQ(config.port, 8080);
  EXPECT_EQ(config.threads, 9u);
  EXPECT_EQ(config.runner_workers, 2u);
  EXPECT_EQ(config.runner_workers_of.at("clf"), 3u);
  EXPECT_EQ(config.timeout, 1500ms);
  EXPECT_EQ(config.max_body, 1024u);
  EXPECT_EQ(config.log_level, LogLevel::kDebug);
  EXPECT_EQ(config.log_format, LogFormat::kJson);
  EXPECT_FALSE(config.access_log);
  EXPECT_EQ(config.settings.size(), 1u);
}

TEST(CommandLine, NamesTheOptionThatIsWrong) {
  const auto message = [](const std::vector<std::string>& arguments) {
    return parse_command_line(arguments).status().message();
  };
  EXPECT_THAT(message({"--port", "x"}), HasSubstr("--port x: expected a number from 0 to 65535"));
  EXPECT_THAT(message({"--bogus"}), HasSubstr("bogus"));
  EXPECT_THAT(message({"stray"}), HasSubstr("stray"));
  EXPECT_THAT(message({}), HasSubstr("--plugin"));
}

}  // namespace
}  // namespace bentohost::app
