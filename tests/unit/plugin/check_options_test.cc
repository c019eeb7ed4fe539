#include "plugin/check_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::plugin {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kSchema = R"({
  "type": "object", "additionalProperties": false,
  "properties": {
    "model": {"type": "string", "default": "iris.svm"},
    "depth": {"type": "integer", "minimum": 1, "default": 3}
  }})";

Result<std::string> check(std::string_view schema, std::string_view given) {
  return check_options(schema, given);
}

TEST(CheckOptions, FillsInDefaults) {
  EXPECT_EQ(*check(kSchema, "{}"), R"({"model":"iris.svm","depth":3})");
  EXPECT_EQ(*check(kSchema, R"({"depth":5})"), R"({"depth":5,"model":"iris.svm"})");
}

TEST(CheckOptions, NamesWhatBreaksTheSchema) {
  EXPECT_THAT(check(kSchema, R"({"depth":0})").status().message(), HasSubstr("/depth"));
  EXPECT_THAT(check(kSchema, R"({"depth":"3"})").status().message(), HasSubstr("/depth"));
  EXPECT_FALSE(check(kSchema, R"({"modle":"x"})").ok());
}

TEST(CheckOptions, SaysWhichOptionsThereAre) {
  EXPECT_EQ(check(kSchema, R"({"modle":"x"})").status().message(),
            "there is no option modle; did you mean model? its options are model, depth");
  EXPECT_EQ(check(kSchema, R"({"colour":"x"})").status().message(),
            "there is no option colour; its options are model, depth");
  // A schema may allow options that it does not name.
  EXPECT_TRUE(check(R"({"properties":{"a":{"type":"integer"}}})", R"({"b":1})").ok());
}

TEST(CheckOptions, TellsHowToWriteATextThatReadsAsJson) {
  EXPECT_THAT(check(kSchema, R"({"model":5})").status().message(),
              AllOf(HasSubstr("/model: must be of type string"), HasSubstr("'\"5\"'")));
  for (const char* typed : {"1.10", "-0.0", "12345678901234567890123", "true"}) {
    EXPECT_THAT(
        check(kSchema, std::string(R"({"depth":1, "model" : )") + typed + "}").status().message(),
        HasSubstr(std::string("write '\"") + typed + "\"'"))
        << "as it was typed";
  }
  EXPECT_THAT(check(kSchema, R"({"model":["a"]})").status().message(), HasSubstr(R"('"[\"a\"]"')"));
  EXPECT_THAT(check(kSchema, R"({"depth":"5"})").status().message(), Not(HasSubstr("'")));
}

TEST(CheckOptions, HoldsDefaultsAgainstTheSchemaToo) {
  const auto checked =
      check(R"({"properties":{"n":{"type":"integer","default":"no number"}}})", "{}");
  EXPECT_THAT(checked.status().message(), HasSubstr("/n"));
}

TEST(CheckOptions, TakesNoneWithoutASchema) {
  EXPECT_EQ(*check("", "{}"), "{}");
  EXPECT_THAT(check("", R"({"depth":1})").status().message(),
              HasSubstr("takes no options, but was given depth"));
}

}  // namespace
}  // namespace bentohost::plugin
