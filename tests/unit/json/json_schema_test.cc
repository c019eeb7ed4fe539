#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "json/json.h"

namespace bentohost {
namespace {

using testing::HasSubstr;

std::string refusal(std::string_view schema) {
  const auto compiled = JsonSchema::compile(schema);
  if (compiled.ok()) return "compiled";
  EXPECT_EQ(compiled.status().code(), BENTO_INVALID_ARGUMENT);
  return compiled.status().message();
}

// "ok", or why the value violates the schema.
std::string verdict(std::string_view schema, std::string_view value) {
  const auto compiled = JsonSchema::compile(schema);
  if (!compiled.ok()) return compiled.status().message();
  const auto document = parse_json(value);
  if (!document.ok()) return document.status().message();
  const Status status = compiled->validate(*document);
  if (status.ok()) return "ok";
  EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(status.http_status(), 422u);
  return status.message();
}

constexpr std::string_view kIris = R"({
  "type": "object",
  "required": ["features"],
  "additionalProperties": false,
  "properties": {
    "features": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/flower"}},
    "label": {"type": ["string", "null"], "default": "unknown"},
    "top": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "default": 1}
  },
  "definitions": {"flower": {
    "type": "object", "required": ["sepal_len"],
    "properties": {"sepal_len": {"type": "number", "maximum": 10}}
  }}
})";

TEST(JsonSchema, TakesWhatMatches) {
  EXPECT_EQ(verdict(kIris, R"({"features": [{"sepal_len": 5.1}, {"sepal_len": 4}]})"), "ok");
  EXPECT_EQ(verdict(kIris, R"({"features": [{"sepal_len": 5}], "label": null, "top": 3})"), "ok");
  EXPECT_EQ(verdict("{}", "17"), "ok");
}

TEST(JsonSchema, TellsWhereAndWhatTheSchemaDemands) {
  EXPECT_EQ(verdict(kIris, R"({"features": [{"sepal_len": "x"}]})"),
            "/features/0/sepal_len: must be of type number (keyword type)");
  EXPECT_EQ(verdict(kIris, R"({"features": [{"sepal_len": 1}, {}]})"),
            "/features/1: must have the property \"sepal_len\" (keyword required)");
  EXPECT_EQ(verdict(kIris, R"({"features": [{"sepal_len": 11}]})"),
            "/features/0/sepal_len: must be at most 10 (keyword maximum)");
  EXPECT_EQ(verdict(kIris, R"({"features": []})"),
            "/features: must have at least 1 element (keyword minItems)");
  EXPECT_EQ(verdict(kIris, R"({"features": [{"sepal_len": 1}], "top": 0})"),
            "/top: must be more than 0 (keyword minimum)");
  EXPECT_EQ(verdict(kIris, R"({"label": 3})"),
            "/label: must be of type string or null (keyword type)");
  EXPECT_EQ(verdict(kIris, R"({"a/b": 3})"),
            "/a~1b: is a property that the schema does not allow (keyword additionalProperties)");
  EXPECT_EQ(verdict(kIris, "[]"), "the document: must be of type object (keyword type)");
}

TEST(JsonSchema, KeepsAClientsLongNamesOutOfTheMessage) {
  const std::string key(100'000, 'k');
  EXPECT_LT(verdict(kIris, "{\"" + key + "\": 1}").size(), 400u);
}

struct Enforced {
  const char* schema;
  const char* good;
  const char* bad;
};
class JsonSchemaKeyword : public testing::TestWithParam<Enforced> {};

TEST_P(JsonSchemaKeyword, IsEnforced) {
  EXPECT_EQ(verdict(GetParam().schema, GetParam().good), "ok");
  const std::string why = verdict(GetParam().schema, GetParam().bad);
  EXPECT_THAT(why, HasSubstr("(keyword "));
  EXPECT_THAT(why, testing::Not(HasSubstr("schema: ")));
}

INSTANTIATE_TEST_SUITE_P(
    Each, JsonSchemaKeyword,
    testing::Values(
        Enforced{R"({"type": "integer"})", "1", "1.5"},
        Enforced{R"({"enum": ["a", 2, null]})", "2", "\"b\""},
        Enforced{R"({"allOf": [{"minimum": 1}, {"maximum": 2}]})", "1", "3"},
        Enforced{R"({"anyOf": [{"type": "null"}, {"maximum": 2}]})", "null", "3"},
        Enforced{R"({"oneOf": [{"minimum": 1}, {"maximum": 2}]})", "0", "1"},
        Enforced{R"({"not": {"type": "null"}})", "0", "null"},
        Enforced{R"({"properties": {"a": {"type": "null"}}})", R"({"a": null})", R"({"a": 1})"},
        Enforced{R"({"patternProperties": {"^x": {"type": "null"}}})", R"({"xa": null, "b": 1})",
                 R"({"xa": 1})"},
        Enforced{R"({"properties": {"xa": {"minimum": 1}}, "patternProperties":
                 {"^x": {"maximum": 2}}})",
                 R"({"xa": 1})", R"({"xa": 0})"},
        Enforced{R"({"additionalProperties": {"type": "null"}})", R"({"a": null})", R"({"a": 1})"},
        Enforced{R"({"dependencies": {"a": ["b"]}})", R"({"a": 1, "b": 1})", R"({"a": 1})"},
        Enforced{R"({"dependencies": {"a": {"required": ["b"]}}})", R"({"c": 1})", R"({"a": 1})"},
        Enforced{R"({"minProperties": 1})", R"({"a": 1})", "{}"},
        Enforced{R"({"maxProperties": 1})", R"({"a": 1})", R"({"a": 1, "b": 1})"},
        Enforced{R"({"items": {"type": "null"}})", "[null]", "[1]"},
        Enforced{R"({"items": [{"type": "null"}], "additionalItems": false})", "[null]",
                 "[null, 1]"},
        Enforced{R"({"items": [{}], "additionalItems": {"type": "null"}})", "[1, null]", "[1, 1]"},
        Enforced{R"({"maxItems": 1})", "[1]", "[1, 2]"},
        Enforced{R"({"uniqueItems": true})", "[1, 2, [1], [2]]", "[[1], 3, [1]]"},
        Enforced{R"({"uniqueItems": true})", "[\"a\", {\"a\": 1}]", "[\"a\", \"b\", \"a\"]"},
        Enforced{R"({"minLength": 2})", "\"éé\"", "\"é\""},
        Enforced{R"({"maxLength": 2})", "\"éé\"", "\"ééé\""},
        Enforced{R"({"pattern": "^(a|b)[0-9]{2,3}$"})", "\"b123\"", "\"b1234\""},
        Enforced{R"({"maximum": 3, "exclusiveMaximum": true})", "2.5", "3"},
        Enforced{R"({"multipleOf": 3})", "9", "10"},
        Enforced{R"({"$ref": "#/$defs/n", "$defs": {"n": {"type": "null"}}})", "null", "1"},
        Enforced{R"({"$ref": "#/definitions/a", "definitions":
                 {"a": {"$ref": "#/definitions/b"}, "b": {"type": "null"}}})",
                 "null", "1"},
        Enforced{R"({"properties": {"a b": {"type": "null"}, "c": {"$ref":
                 "#/properties/a%20b"}}})",
                 R"({"c": null})", R"({"c": 1})"},
        Enforced{R"({"properties": {"a+ä?": {"type": "null"}, "c": {"$ref":
                 "#/properties/a+%C3%a4%3F"}}})",
                 R"({"c": null})", R"({"c": 1})"},
        // Names of properties that are names of keywords.
        Enforced{R"({"properties": {"dependencies": {"type": ["array", "null"]}, "$ref": {},
                 "patternProperties": {"minimum": 1}, "items": {}, "not": {}}})",
                 R"({"dependencies": []})", R"({"patternProperties": 0})"}));

struct Refused {
  const char* schema;
  const char* why;
};
class JsonSchemaRefusal : public testing::TestWithParam<Refused> {};

TEST_P(JsonSchemaRefusal, NamesThePointerAndTheReason) {
  EXPECT_THAT(refusal(GetParam().schema), HasSubstr(GetParam().why));
}

INSTANTIATE_TEST_SUITE_P(
    Each, JsonSchemaRefusal,
    testing::Values(
        Refused{R"({"type": )", "schema: line 1 column 10: the document ends too early"},
        Refused{"true", "schema: the root: true and false are not schemas before draft 6"},
        Refused{R"({"items": false})",
                "schema: /items: true and false are not schemas before draft 6"},
        Refused{R"({"properties": {"n": {"const": 1}}})",
                "schema: /properties/n: const is not enforced here: write enum with one value"},
        Refused{R"({"if": {}})", "the root: if is not enforced here"},
        Refused{R"({"contains": {}})", "contains is not enforced here"},
        Refused{R"({"propertyNames": {}})", "propertyNames is not enforced here"},
        Refused{R"({"unevaluatedProperties": false})", "write additionalProperties"},
        Refused{R"({"nullable": true})", "add \"null\" to type"},
        Refused{R"({"minimun": 1})", "minimun is not a JSON Schema keyword"},
        Refused{R"({"exclusiveMinimum": 3})", "schema: /exclusiveMinimum: must be true or false"},
        Refused{R"({"exclusiveMaximum": true})", "exclusiveMaximum needs maximum beside it"},
        Refused{R"({"type": "any"})", "schema: /type: must name one or more of null"},
        Refused{R"({"type": []})", "schema: /type: must name one or more of null"},
        Refused{R"({"type": "null", "type": "string"})", "type appears twice"},
        Refused{R"({"required": true})", "schema: /required: must be an array of names"},
        Refused{R"({"minLength": -1})", "schema: /minLength: must be an integer from 0"},
        Refused{R"({"minItems": 1.5})", "schema: /minItems: must be an integer from 0"},
        Refused{R"({"maximum": "3"})", "schema: /maximum: must be a number"},
        Refused{R"({"multipleOf": 0.01})", "schema: /multipleOf: must be a positive integer"},
        Refused{R"({"multipleOf": 0})", "schema: /multipleOf: must be a positive integer"},
        Refused{R"({"uniqueItems": 1})", "schema: /uniqueItems: must be true or false"},
        Refused{R"({"enum": []})", "schema: /enum: must be an array of at least one value"},
        Refused{R"({"enum": [{"patternProperties": 3}]})", "must not hold objects or arrays"},
        Refused{R"({"anyOf": []})", "schema: /anyOf: must be an array of at least one schema"},
        Refused{R"({"items": []})", "schema: /items: must be an array of at least one schema"},
        Refused{R"({"properties": {"a": 1}})", "schema: /properties/a: a schema must be an object"},
        Refused{R"({"properties": []})", "schema: /properties: must be an object of schemas"},
        Refused{R"({"patternProperties": {"^a": {}}, "additionalProperties": false})",
                "schema: /patternProperties: is not enforced beside additionalProperties"},
        Refused{R"({"properties": {"a": {"id": "http://x/"}}})", "is allowed at the root only"},
        Refused{R"({"$ref": "http://example.com/s.json"})",
                "schema: /$ref: must be a JSON pointer into this document"},
        Refused{R"({"$ref": "#name"})", "schema: /$ref: is not a JSON pointer"},
        Refused{R"({"$ref": "#/definitions/a%2"})", "schema: /$ref: is not a JSON pointer"},
        Refused{R"({"$ref": "#/definitions/a%"})", "schema: /$ref: is not a JSON pointer"},
        Refused{R"({"$ref": "#/definitions/%zz"})", "schema: /$ref: is not a JSON pointer"},
        Refused{R"({"$ref": "#/definitions/no"})", "there is no schema at /definitions/no"},
        Refused{R"({"$ref": "#/definitions/a/type", "definitions": {"a": {"type": "null"}}})",
                "there is no schema at /definitions/a/type"},
        Refused{R"({"properties": {"a": {"$ref": "#", "minimum": 1}}})",
                "minimum is not enforced beside $ref"},
        Refused{R"({"$ref": "#"})", "the root refers to itself"},
        Refused{R"({"definitions": {"a": {"anyOf": [{"$ref": "#/definitions/a"}]}}})",
                "refers to itself without going into the value"},
        Refused{R"({"oneOf": [{"properties": {"l": {"$ref": "#"}}},
                              {"properties": {"l": {"$ref": "#"}}}]})",
                "exponential in its depth"},
        Refused{R"({"properties": {"dependencies": {"enum": [1]}}})",
                "schema: /properties/dependencies: a schema of this name cannot have enum"},
        Refused{R"({"dependencies": {"patternProperties": ["a"]}})",
                "schema: /dependencies/patternProperties: must be a schema"},
        Refused{R"({"dependencies": {"a": [1]}})", "must be an array of names or a schema"}));

class JsonSchemaPattern : public testing::TestWithParam<const char*> {};

TEST_P(JsonSchemaPattern, IsRefusedWhereTheExpressionWouldMeanSomethingElse) {
  rapidjson::Document schema(rapidjson::kObjectType);
  schema.AddMember("pattern", rapidjson::StringRef(GetParam()), schema.GetAllocator());
  EXPECT_THAT(refusal(write_json(schema)), HasSubstr("schema: /pattern: the expression "));
  EXPECT_THAT(refusal(write_json(schema)), HasSubstr(" is not enforced: "));
}

INSTANTIATE_TEST_SUITE_P(Each, JsonSchemaPattern,
                         testing::Values("\\d+", "^a|b$", "a^b", "a$b", "(?:a)", "(a", "a)", "()",
                                         "(a|)b", "a||b", "|a", "*a", "{2}", "a|{2}", "a+?", "a{2",
                                         "a{100000}", "a{99999999999}", "a{3,2}", "a{0}", "[a",
                                         "[]", "[\\w]", "a\\", "", "a{,3}"));

TEST(JsonSchema, TakesAnnotationsWhateverTheyHold) {
  EXPECT_EQ(refusal(R"({"$schema": "http://json-schema.org/draft-04/schema#", "id": "x",
                        "title": "T", "format": "date", "x-note": [1], "examples": [{"$ref": 3}],
                        "default": {"patternProperties": 3, "dependencies": {"a": [1]}}})"),
            "compiled");
}

TEST(JsonSchema, TakesARecursionWithOneWayBack) {
  const char* list = R"({"properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
                         "additionalProperties": false})";
  EXPECT_EQ(verdict(list, R"({"next": {"next": {"next": null}}})"), "ok");
  EXPECT_THAT(verdict(list, R"({"next": {"next": {"prev": null}}})"), HasSubstr("/next: "));
  const char* tree =
      R"({"type": "object", "properties": {"l": {"$ref": "#"}, "r": {"$ref": "#"}}})";
  EXPECT_EQ(verdict(tree, R"({"l": {"r": {}}})"), "ok");
  EXPECT_EQ(verdict(tree, R"({"l": {"r": 3}})"), "/l/r: must be of type object (keyword type)");
}

TEST(JsonSchema, TakesEmptyMaps) {
  EXPECT_EQ(verdict(R"({"properties": {}, "patternProperties": {}, "dependencies": {},
                        "definitions": {}, "required": []})",
                    R"({"a": 1})"),
            "ok");
}

TEST(JsonSchema, DoesNotLetAPatternEndAtANulCharacter) {
  EXPECT_EQ(verdict(R"({"pattern": "^[a-z]+$"})", R"("abc\u0000<script>")"),
            "the document: must not hold U+0000 (keyword pattern)");
}

TEST(JsonSchema, BoundsTheQuadraticCostOfUniqueItems) {
  std::string array = "[0";
  for (std::size_t i = 1; i <= JsonSchema::kMaxUniqueItems; ++i) array += ',' + std::to_string(i);
  EXPECT_THAT(verdict(R"({"uniqueItems": true})", array + "]"), HasSubstr("4096 elements"));
  EXPECT_EQ(verdict(R"({"uniqueItems": false})", array + "]"), "ok");
}

TEST(JsonSchema, FillsDefaultsThatTheObjectLacks) {
  const auto schema = JsonSchema::compile(kIris);
  ASSERT_TRUE(schema.ok());
  auto object = parse_json(R"({"top": 7})");
  schema->fill_defaults(*object);
  EXPECT_EQ(write_json(*object), R"({"top":7,"label":"unknown"})");
  auto array = parse_json("[]");
  schema->fill_defaults(*array);
  EXPECT_EQ(write_json(*array), "[]");
}

TEST(JsonSchema, FillsDefaultsOfASchemaThatIsAReference) {
  const auto schema = JsonSchema::compile(
      R"({"$ref": "#/$defs/a", "$defs": {"a": {"properties": {"n": {"default": {"k": [1]}}}}}})");
  ASSERT_TRUE(schema.ok());
  auto object = parse_json("{}");
  schema->fill_defaults(*object);
  EXPECT_EQ(write_json(*object), R"({"n":{"k":[1]}})");
}

TEST(JsonSchema, KeepsTheDocumentAsWritten) {
  const auto schema = JsonSchema::compile(R"({"title":"T","type":"null"})");
  ASSERT_TRUE(schema.ok());
  EXPECT_EQ(write_json(schema->document()), R"({"title":"T","type":"null"})");
}

TEST(JsonSchema, ServesManyThreadsAtOnce) {
  const auto schema = JsonSchema::compile(R"({"items": {"pattern": "^(ab)*$"}})");
  ASSERT_TRUE(schema.ok());
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&schema, i] {
      const bool good = i % 2 == 0;
      const auto value = parse_json(good ? R"(["abab"])" : R"(["aba"])");
      for (int n = 0; n < 200; ++n) EXPECT_EQ(schema->validate(*value).ok(), good);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace bentohost
