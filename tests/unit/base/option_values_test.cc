#include "base/option_values.h"

#include <gtest/gtest.h>

namespace bentohost {
namespace {

using namespace std::chrono_literals;

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

TEST(ParseDelay, MayBeZero) {
  EXPECT_EQ(*parse_delay("0"), 0s);
  EXPECT_EQ(*parse_delay("1.5"), 1500ms);
  for (const char* text : {"", "-1", "0.0"}) EXPECT_FALSE(parse_delay(text).ok()) << text;
}

TEST(ParseCount, NamesItsRange) {
  EXPECT_EQ(*parse_count("2", 2, 9), 2u);
  EXPECT_EQ(*parse_count("9", 2, 9), 9u);
  for (const char* text : {"", "1", "10", "2.0", "+3", " 3", "3x", "99999999999"}) {
    EXPECT_EQ(parse_count(text, 2, 9).status().message(), "expected a number from 2 to 9") << text;
  }
}

TEST(ParseSwitch, IsOnOrOff) {
  EXPECT_TRUE(*parse_switch("on"));
  EXPECT_FALSE(*parse_switch("off"));
  for (const char* text : {"", "On", "true", "1"}) EXPECT_FALSE(parse_switch(text).ok()) << text;
}

}  // namespace
}  // namespace bentohost
