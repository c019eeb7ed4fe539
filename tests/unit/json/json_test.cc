#include "json/json.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace bentohost {
namespace {

using testing::HasSubstr;

std::string error_of(std::string_view text) {
  const auto parsed = parse_json(text);
  if (parsed.ok()) return "parsed";
  EXPECT_EQ(parsed.status().code(), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(parsed.status().http_status(), 400u);
  return parsed.status().message();
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, ParsesAndWritesBack) {
  const std::string text = R"({"a":[1,-2,2.5,true,null,"é\n\u0000"],"b":{}})";
  auto parsed = parse_json(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status().message();
  EXPECT_EQ(write_json(*parsed), text);
}

TEST(Json, ReadsDoublesToTheLastBit) {
  auto parsed = parse_json("[0.1, 5e-324, 1.7976931348623157e308, 9007199254740993.0]");
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ((*parsed)[0].GetDouble(), 0.1);
  EXPECT_EQ((*parsed)[1].GetDouble(), 5e-324);
  EXPECT_EQ((*parsed)[2].GetDouble(), 1.7976931348623157e308);
  EXPECT_EQ((*parsed)[3].GetDouble(), 9007199254740992.0);
}

TEST(Json, TellsWhereAndWhatIsWrong) {
  EXPECT_EQ(error_of("[1, 2 3]"), "line 1 column 7: missing a comma or ] after an array element");
  EXPECT_EQ(error_of("{\"a\": 1,\n \"b\" 2}"),
            "line 2 column 6: missing a colon after the name of an object member");
  EXPECT_EQ(error_of(""), "line 1 column 1: the document is empty");
  EXPECT_EQ(error_of("}"), "line 1 column 1: expected a value");
  EXPECT_EQ(error_of("[1,"), "line 1 column 4: the document ends too early");
  EXPECT_EQ(error_of("{,}"), "line 1 column 2: missing a name for an object member");
}

TEST(Json, PositionCountsLinesAndColumnsFromOne) {
  EXPECT_EQ(json_position("ab\ncd", 0), "line 1 column 1");
  EXPECT_EQ(json_position("ab\ncd", 3), "line 2 column 1");
  EXPECT_EQ(json_position("ab\ncd", 5), "line 2 column 3");
  EXPECT_EQ(json_position("", 9), "line 1 column 1");
}

TEST(Json, RefusesWhatIsNotOneDocument) {
  EXPECT_THAT(error_of("1 2"), HasSubstr("something follows the end of the document"));
  EXPECT_THAT(error_of("nope"), HasSubstr("line 1 column"));
  EXPECT_THAT(error_of("[1] // note"), HasSubstr("something follows"));
  EXPECT_THAT(error_of("[1,]"), HasSubstr("invalid value"));
}

TEST(Json, RefusesANulByteInsteadOfStoppingAtIt) {
  EXPECT_EQ(error_of(std::string_view("[1]\0[2", 6)), "line 1 column 4: a NUL byte");
}

TEST(Json, RefusesInvalidUtf8) {
  EXPECT_THAT(error_of("[\"\xff\"]"), HasSubstr("invalid UTF-8"));
  EXPECT_THAT(error_of("[\"\xc3\"]"), HasSubstr("invalid UTF-8"));
  EXPECT_THAT(error_of("{\"\xed\xa0\x80\": 1}"), HasSubstr("invalid UTF-8"));
  EXPECT_THAT(error_of(R"(["\ud800"])"), HasSubstr("surrogate"));
}

TEST(Json, RefusesNumbersThatADoubleCannotHold) {
  EXPECT_THAT(error_of("[NaN]"), HasSubstr("line 1 column"));
  EXPECT_THAT(error_of("[Infinity]"), HasSubstr("line 1 column"));
  EXPECT_THAT(error_of("[1e400]"), HasSubstr("too big for a double"));
}

TEST(Json, RefusesNestingBeyondTheCapAndTakesTheCapItself) {
  EXPECT_EQ(error_of(nested(kMaxJsonDepth)), "parsed");
  EXPECT_EQ(error_of(nested(kMaxJsonDepth + 1)),
            "line 1 column 129: nested deeper than 128 levels");
  EXPECT_EQ(error_of(std::string(1'000'000, '[')),
            "line 1 column 129: nested deeper than 128 levels");
  std::string wide = "[";
  for (int i = 0; i < 1000; ++i) wide += "[{}],";
  EXPECT_EQ(error_of(wide + "1]"), "parsed") << "depth is not the number of brackets";
}

TEST(Json, WritesNullForWhatJsonHasNoWordFor) {
  rapidjson::Document document;
  document.SetArray();
  for (const double d : {std::nan(""), std::numeric_limits<double>::infinity(), 1.5}) {
    document.PushBack(d, document.GetAllocator());
  }
  EXPECT_EQ(write_json(document), "[null,null,1.5]");
}

TEST(CheckJson, TellsOfWhatIsNoJson) {
  for (const char* json : {"1", "[1e99]", "{\"a\":[{}]}", " \"\u00e9\" "}) {
    EXPECT_TRUE(check_json(json).ok()) << json;
  }
  EXPECT_TRUE(check_json(std::string(100000, '[') + std::string(100000, ']')).ok());
  for (const char* json : {"", "[NaN]", "[1e999]", "{", "[1] x", "\"\xff\"", "Infinity"}) {
    EXPECT_EQ(check_json(json).code(), BENTO_INVALID_ARGUMENT) << json;
  }
  EXPECT_EQ(check_json("[1,\n}").message(), "line 2 column 1: invalid value");
}

TEST(JsonMembers, HaveTheirValuesAsTheyStandThere) {
  const auto members =
      json_members(R"( {"a" : 1.10 ,"b":[ {"c": 1} ], "d":"x\n", "e":{"a":2},"f":true})");
  ASSERT_TRUE(members.ok());
  using Member = std::pair<std::string, std::string_view>;
  EXPECT_EQ(*members, (std::vector<Member>{{"a", "1.10"},
                                           {"b", R"([ {"c": 1} ])"},
                                           {"d", R"("x\n")"},
                                           {"e", R"({"a":2})"},
                                           {"f", "true"}}));
  EXPECT_TRUE(json_members("{}")->empty());
  EXPECT_FALSE(json_members("[1]").ok());
  EXPECT_FALSE(json_members("{").ok());
}

}  // namespace
}  // namespace bentohost
