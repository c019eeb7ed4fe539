#include "codec/members.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::service {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

plugin::IoSpec make_spec(std::string name, std::uint32_t kind, std::string descriptor,
                         bool is_optional = false) {
  plugin::IoSpec spec;
  spec.name = std::move(name);
  spec.kind = kind;
  spec.descriptor = std::move(descriptor);
  spec.is_optional = is_optional;
  return spec;
}

std::vector<plugin::IoSpec> every_kind() {
  return {make_spec("array", BENTO_TENSOR, "ndarray"), make_spec("json", BENTO_JSON, "json"),
          make_spec("text", BENTO_BYTES, "text"), make_spec("bytes", BENTO_BYTES, "file", true)};
}

std::string text_of(const wire::Value& value) { return {value.data.data(), value.data.size()}; }

// The error of a body for one optional input of that kind, named "a".
Status error_of(std::uint32_t kind, std::string descriptor, std::string_view body) {
  return decode_members(body, std::vector{make_spec("a", kind, std::move(descriptor))}).status();
}

TEST(Members, AreDecodedInTheOrderOfTheDescription) {
  const auto values = decode_members(
      R"( {"bytes": "AP+A", "text": "h\u00e9", "json" : {"b": 1.50}, "array": [[1, 2]]} )",
      every_kind());
  ASSERT_TRUE(values.ok()) << values.status().message();
  ASSERT_EQ(values->size(), 4u);
  EXPECT_EQ((*values)[0].shape, (std::vector<std::int64_t>{1, 2}));
  EXPECT_EQ(text_of((*values)[1]), R"({"b": 1.50})") << "as it came";
  EXPECT_EQ(text_of((*values)[2]), "h\xc3\xa9");
  EXPECT_EQ(text_of((*values)[3]), std::string("\0\xff\x80", 3));
  EXPECT_EQ((*values)[3].name, "bytes");
}

TEST(Members, MayLackOptionalOnesOrHaveThemNull) {
  for (const char* body : {R"({"array": 1, "json": null, "text": ""})",
                           R"({"array": 1, "json": null, "text": "", "bytes": null})"}) {
    const auto values = decode_members(body, every_kind());
    ASSERT_TRUE(values.ok()) << values.status().message();
    EXPECT_EQ((*values)[3].kind, 0u);
    EXPECT_EQ(text_of((*values)[1]), "null") << "JSON that is needed may be null";
  }
}

TEST(Members, AreRefusedByPointerWhenTheyDoNotFit) {
  const Status missing = decode_members("{}", every_kind()).status();
  EXPECT_EQ(missing.http_status(), 422u);
  EXPECT_EQ(missing.message(),
            "/array: is missing; the inputs are array, json, text, bytes (optional)");
  EXPECT_EQ(error_of(BENTO_BYTES, "text", R"({"a": "", "x/~y": 1})").message(),
            "/x~1~0y: is not an input; the inputs are a");
  EXPECT_EQ(error_of(BENTO_BYTES, "text", R"({"a": "", "a": ""})").message(), "/a: is there twice");
  EXPECT_EQ(error_of(BENTO_BYTES, "text", R"({"a": 1})").message(), "/a: must be a string");
  EXPECT_THAT(error_of(BENTO_BYTES, "file", R"({"a": 1})").message(), HasSubstr("Base64"));
  for (const char* bad : {"A", "AA", "AA=A", "A*==", "AB==", "AAAA ", "_-==", "AA\\u0000="}) {
    const Status status = error_of(BENTO_BYTES, "file", R"({"a": ")" + std::string(bad) + "\"}");
    EXPECT_THAT(status.message(), StartsWith("/a: is not Base64")) << bad;
    EXPECT_EQ(status.http_status(), 422u);
  }
  const Status ragged = error_of(BENTO_TENSOR, "ndarray", R"({"a": [[1], [2, 3]]})");
  EXPECT_THAT(ragged.message(), StartsWith("/a: ragged array"));
  EXPECT_EQ(ragged.http_status(), 400u);
}

TEST(Members, AreHeldAgainstTheirSchemas) {
  plugin::IoSpec spec = make_spec("a", BENTO_JSON, "json");
  spec.schema = *JsonSchema::compile(
      R"({"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]})");
  const Status status = decode_members(R"({"a": {"n": "x"}})", std::vector{spec}).status();
  EXPECT_EQ(status.http_status(), 422u);
  EXPECT_THAT(status.message(), StartsWith("/a/n: "));
  EXPECT_THAT(decode_members(R"({"a": 1})", std::vector{spec}).status().message(),
              StartsWith("/a"));
  spec.is_self_checked = true;
  EXPECT_TRUE(decode_members(R"({"a": 1})", std::vector{spec}).ok());
}

TEST(Members, NeedABodyThatIsAnObject) {
  for (const char* body : {"", "[]", "7", "{", R"({"a": 1}})", "{\"a\": \xff}"}) {
    const Status status = error_of(BENTO_JSON, "json", body);
    EXPECT_EQ(status.http_status(), 400u) << body;
    EXPECT_THAT(status.message(),
                StartsWith("the body must be a JSON object with the members a: "));
  }
}

TEST(Members, AreEncodedAsAnObjectByName) {
  const std::vector<plugin::IoSpec> outs = {
      make_spec("y", BENTO_TENSOR, "ndarray"), make_spec("a \"b\"", BENTO_JSON, "json"),
      make_spec("text", BENTO_BYTES, "text"), make_spec("bytes", BENTO_BYTES, "file")};
  const double numbers[] = {1, 2.5};
  const std::int64_t shape[] = {2};
  std::vector<bento_value> values(4);
  for (std::size_t i = 0; i < 4; ++i) {
    values[i].size = sizeof values[i];
    values[i].kind = outs[i].kind;
  }
  values[0].tensor = {BENTO_F64, 1, shape, nullptr, {numbers, sizeof numbers}};
  values[1].bytes = {"[1]", 3};
  values[2].bytes = {"a\"\n", 3};
  values[3].bytes = {"\xff\x00\x01\x02", 4};
  const auto response = encode_members(values, outs, "api x");
  ASSERT_TRUE(response.ok()) << response.status().message();
  EXPECT_EQ(response->content_type, "application/json");
  EXPECT_EQ(response->body, R"({"y":[1.0,2.5],"a \"b\"":[1],"text":"a\"\n","bytes":"/wABAg=="})");

  values[1].bytes = {"[", 1};
  EXPECT_THAT(encode_members(values, outs, "api x").status().message(),
              HasSubstr("output a \"b\": api x returned invalid JSON"));
  values.pop_back();
  const Status status = encode_members(values, outs, "api x").status();
  EXPECT_THAT(status.message(), HasSubstr("api x returned 3 values, but declares 4: y, a \"b\", "));
  EXPECT_EQ(status.http_status(), 500u);
}

}  // namespace
}  // namespace bentohost::service
