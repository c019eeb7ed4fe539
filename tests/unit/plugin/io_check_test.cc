#include "plugin/io_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/value.h"

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;

IoSpec make_spec(std::uint32_t kind, std::string descriptor, std::string mime = {}) {
  IoSpec spec;
  spec.kind = kind;
  spec.descriptor = std::move(descriptor);
  spec.mime = std::move(mime);
  return spec;
}
IoSpec make_tensor_spec(std::uint32_t dtype, std::vector<std::int64_t> shape) {
  IoSpec spec = make_spec(BENTO_TENSOR, "ndarray");
  spec.dtype = dtype;
  spec.any_shape = false;
  spec.shape = std::move(shape);
  return spec;
}
wire::Value make_tensor(std::uint32_t dtype, std::vector<std::int64_t> shape) {
  wire::Value value;
  value.kind = BENTO_TENSOR;
  value.dtype = dtype;
  value.data.resize(static_cast<std::size_t>(wire::tensor_bytes(dtype, shape)));
  value.shape = std::move(shape);
  return value;
}
wire::Value make_bytes(std::uint32_t kind, std::string_view bytes, std::string mime = {}) {
  wire::Value value;
  value.kind = kind;
  value.mime = std::move(mime);
  value.data.assign(bytes.begin(), bytes.end());
  return value;
}
std::string output_fault(const wire::Value& value, const IoSpec& spec) {
  const Status status = check_output(value.view(), spec, "api x");
  EXPECT_TRUE(status.ok() || status.http_status() == 500u);
  return status.message();
}

TEST(CheckInput, SaysWhatIsTakenAndWhatCame) {
  const IoSpec spec = make_tensor_spec(BENTO_F64, {-1, 2});
  const auto fault = [&](const wire::Value& value) {
    return check_input(value.view(), spec, "f").message();
  };
  EXPECT_EQ(fault(make_tensor(BENTO_F64, {4, 2})), "");
  EXPECT_EQ(fault(make_tensor(BENTO_F64, {4, 1})), "f takes shape (n, 2), got (4, 1)");
  EXPECT_EQ(fault(make_tensor(BENTO_F64, {2})), "f takes shape (n, 2), got (2,)");
  EXPECT_EQ(fault(make_tensor(BENTO_F32, {4, 2})), "f takes float64, got float32");
  EXPECT_EQ(fault(make_bytes(BENTO_JSON, "[]")), "f takes a tensor, got JSON");
}

TEST(CheckOutput, SaysWhatIsDeclaredAndWhatCame) {
  const IoSpec spec = make_tensor_spec(BENTO_F64, {-1, 2});
  EXPECT_EQ(output_fault(make_tensor(BENTO_F64, {0, 2}), spec), "");
  EXPECT_EQ(output_fault(make_tensor(BENTO_F64, {1, 3}), spec),
            "api x returned shape (1, 3), but declares shape (n, 2)");
  EXPECT_EQ(output_fault(make_tensor(BENTO_F32, {1, 2}), spec),
            "api x returned float32, but declares float64");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x"), spec),
            "api x returned bytes, but declares a tensor");
  IoSpec any = make_spec(BENTO_TENSOR, "ndarray");
  EXPECT_EQ(output_fault(make_tensor(BENTO_I8, {1, 2, 3}), any), "");
}

TEST(CheckOutput, HoldsJsonAgainstItsSchemaEvenWhereThePluginHoldsInputs) {
  IoSpec spec = make_spec(BENTO_JSON, "json");
  EXPECT_EQ(output_fault(make_bytes(BENTO_JSON, "{}"), spec), "");
  for (const char* none : {"", "{", "[NaN]", "\"\xff\"", "[1] x", "[Infinity]"}) {
    EXPECT_THAT(output_fault(make_bytes(BENTO_JSON, none), spec), HasSubstr("invalid JSON"));
  }
  EXPECT_THAT(output_fault(make_bytes(BENTO_JSON, std::string_view("[]\0[", 4)), spec),
              HasSubstr("NUL"));
  spec.schema = *JsonSchema::compile(R"({"type":"object","required":["a"]})");
  spec.is_self_checked = true;
  EXPECT_EQ(output_fault(make_bytes(BENTO_JSON, R"({"a":1})"), spec), "");
  EXPECT_THAT(output_fault(make_bytes(BENTO_JSON, "{}"), spec), HasSubstr("violates its schema"));
  EXPECT_THAT(output_fault(make_bytes(BENTO_JSON, "{"), spec), HasSubstr("invalid JSON"));
}

TEST(CheckOutput, HoldsBytesAgainstTheMediaType) {
  const IoSpec png = make_spec(BENTO_BYTES, "file", "image/png");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x"), png), "");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x", "Image/PNG; a=b"), png), "");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x", "text/html"), png),
            "api x returned text/html, but declares image/png");
  const IoSpec image = make_spec(BENTO_BYTES, "file", "image/*");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x", "image/gif"), image), "");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x"), image),
            "api x returned bytes without a media type, but declares image/*");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "x", "a/b"), make_spec(BENTO_BYTES, "file")), "");
}

TEST(CheckOutput, HoldsTextAgainstUtf8) {
  const IoSpec text = make_spec(BENTO_BYTES, "text");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "\u00e9"), text), "");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "a\xc3"), text),
            "api x returned text that is not UTF-8, but declares text");
  EXPECT_EQ(output_fault(make_bytes(BENTO_BYTES, "a", "text/html"), text),
            "api x returned text/html, but declares text/plain");
}

TEST(FitsMediaType, TakesPatterns) {
  EXPECT_TRUE(fits_media_type("", ""));
  EXPECT_TRUE(fits_media_type("", "a/b"));
  EXPECT_TRUE(fits_media_type("image/*", "image/png"));
  EXPECT_TRUE(fits_media_type("IMAGE/*", "image/PNG; q=1"));
  EXPECT_TRUE(fits_media_type("*/*", "a/b"));
  EXPECT_TRUE(fits_media_type("text/csv; charset=utf-8", "text/csv"));
  for (const char* other : {"", "image/", "image", "images/png", "text/image/png"}) {
    EXPECT_FALSE(fits_media_type("image/*", other)) << other;
  }
  EXPECT_FALSE(fits_media_type("*/*", ""));
  EXPECT_FALSE(fits_media_type("image/png", "image/*"));
}

}  // namespace
}  // namespace bentohost::plugin
