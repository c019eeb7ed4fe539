#include "codec/codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace bentohost::service {
namespace {

using testing::HasSubstr;

plugin::IoSpec make_spec(std::uint32_t kind, std::string descriptor, std::string mime = {}) {
  plugin::IoSpec spec;
  spec.kind = kind;
  spec.descriptor = std::move(descriptor);
  spec.mime = std::move(mime);
  return spec;
}

Result<wire::Value> decode(const plugin::IoSpec& spec, std::string body,
                           std::string content_type = {}) {
  http::Request request;
  request.body = std::move(body);
  if (!content_type.empty()) request.headers.push_back({"content-type", std::move(content_type)});
  return Decoder(spec).decode(request);
}

std::string text_of(const wire::Value& value) { return {value.data.data(), value.data.size()}; }

wire::Value make_bytes(std::uint32_t kind, std::string_view bytes, std::string mime = {}) {
  wire::Value value;
  value.kind = kind;
  value.mime = std::move(mime);
  value.data.assign(bytes.begin(), bytes.end());
  return value;
}

Result<http::Response> encode_one(const wire::Value& value, const plugin::IoSpec& spec) {
  const bento_value view = value.view();
  return encode({&view, 1}, spec, "api x");
}

TEST(Decoder, ReadsArraysWhateverTheContentType) {
  plugin::IoSpec spec = make_spec(BENTO_TENSOR, "ndarray");
  spec.dtype = BENTO_F64;
  spec.any_shape = false;
  spec.shape = {-1, 2};
  const auto value = decode(spec, "[[1,2],[3,4]]", "text/plain");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->shape, (std::vector<std::int64_t>{2, 2}));
  EXPECT_EQ(decode(spec, "[[1]]").status().http_status(), 400u);
}

TEST(Decoder, HandsJsonOnAsItCame) {
  const plugin::IoSpec spec = make_spec(BENTO_JSON, "json");
  const auto value = decode(spec, " {\"b\": 1.50, \"a\": []}");
  ASSERT_TRUE(value.ok());
  EXPECT_EQ(value->kind, static_cast<std::uint32_t>(BENTO_JSON));
  EXPECT_EQ(text_of(*value), " {\"b\": 1.50, \"a\": []}");
  EXPECT_EQ(decode(spec, "{").status().http_status(), 400u);
  EXPECT_EQ(decode(spec, "").status().http_status(), 400u);
}

TEST(Decoder, AnswersJsonThatBreaksTheSchemaWith422) {
  plugin::IoSpec spec = make_spec(BENTO_JSON, "json");
  auto schema = JsonSchema::compile(R"({"type":"object","required":["a"]})");
  ASSERT_TRUE(schema.ok());
  spec.schema = *std::move(schema);
  EXPECT_TRUE(decode(spec, R"({"a":1})").ok());
  EXPECT_EQ(decode(spec, "{}").status().http_status(), 422u);
  EXPECT_EQ(decode(spec, "{").status().http_status(), 400u);
}

TEST(Decoder, TakesTextThatIsUtf8) {
  const plugin::IoSpec spec = make_spec(BENTO_BYTES, "text");
  for (const std::string& text :
       {std::string(), std::string("a\0b", 3), std::string("\u00e9\U0001F33C")}) {
    const auto value = decode(spec, text);
    ASSERT_TRUE(value.ok());
    EXPECT_EQ(text_of(*value), text);
  }
  for (const char* text : {"\xff", "a\xc3", "\xe2\x82", "\xc0\x80", "\xed\xa0\x80"}) {
    EXPECT_EQ(decode(spec, text).status().http_status(), 400u);
  }
}

TEST(Decoder, TakesFilesOfAnyTypeOrOfTheOneDeclared) {
  const auto any = decode(make_spec(BENTO_BYTES, "file"), "\xff\x00", "Image/PNG; q=1");
  EXPECT_EQ(any->mime, "image/png");
  for (const char* declared : {"image/png", "image/PNG"}) {
    const plugin::IoSpec png = make_spec(BENTO_BYTES, "file", declared);
    EXPECT_TRUE(decode(png, "x", "image/png").ok());
    EXPECT_TRUE(decode(png, "x", "IMAGE/png ; a=b").ok());
    EXPECT_EQ(decode(png, "x", "image/jpeg").status().http_status(), 415u);
    EXPECT_THAT(decode(png, "x").status().message(), HasSubstr("got none"));
  }
}

TEST(Decoder, TakesAPatternOfMediaTypes) {
  const plugin::IoSpec image = make_spec(BENTO_BYTES, "file", "image/*");
  EXPECT_TRUE(decode(image, "x", "image/png").ok());
  EXPECT_TRUE(decode(image, "x", "IMAGE/svg+xml; charset=utf-8").ok());
  for (const char* other : {"", "imagee/png", "image", "image/", "text/plain"}) {
    EXPECT_EQ(decode(image, "x", other).status().http_status(), 415u) << other;
  }
  EXPECT_TRUE(decode(make_spec(BENTO_BYTES, "file", "*/*"), "x", "text/plain").ok());
}

TEST(Encode, WritesArraysAsJson) {
  wire::Value value;
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_I8;
  value.shape = {3};
  value.data.assign({1, 2, 3});
  const auto response = encode_one(value, make_spec(BENTO_TENSOR, "ndarray"));
  ASSERT_TRUE(response.ok());
  EXPECT_EQ((*response).body, "[1,2,3]");
  EXPECT_EQ((*response).content_type, "application/json");
  EXPECT_EQ((*response).status, 200);
}

TEST(Encode, NamesTheTypeOfWhatItWrites) {
  const auto type = [](const wire::Value& value, const plugin::IoSpec& spec) {
    return encode_one(value, spec)->content_type;
  };
  EXPECT_EQ(type(make_bytes(BENTO_JSON, "{}"), make_spec(BENTO_JSON, "json")), "application/json");
  EXPECT_EQ(type(make_bytes(BENTO_BYTES, "x"), make_spec(BENTO_BYTES, "text")),
            "text/plain; charset=utf-8");
  EXPECT_EQ(type(make_bytes(BENTO_BYTES, "x"), make_spec(BENTO_BYTES, "file")),
            "application/octet-stream");
  const plugin::IoSpec png = make_spec(BENTO_BYTES, "file", "image/png");
  EXPECT_EQ(type(make_bytes(BENTO_BYTES, "x"), png), "image/png");
  const plugin::IoSpec image = make_spec(BENTO_BYTES, "file", "image/*");
  EXPECT_EQ(type(make_bytes(BENTO_BYTES, "x", "image/gif"), image), "image/gif");
}

TEST(Encode, RefusesWhatWasNotDeclared) {
  const plugin::IoSpec json = make_spec(BENTO_JSON, "json");
  EXPECT_EQ(encode_one(make_bytes(BENTO_BYTES, "x"), json).status().code(), BENTO_INTERNAL);
  EXPECT_EQ(encode({}, json, "api x").status().code(), BENTO_INTERNAL);
  const wire::Value value = make_bytes(BENTO_JSON, "{}");
  const bento_value two[] = {value.view(), value.view()};
  EXPECT_THAT(encode(two, json, "api x").status().message(),
              HasSubstr("api x returned 2 results, but declares one"));
}

}  // namespace
}  // namespace bentohost::service
