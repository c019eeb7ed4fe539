#include "codec/stream_text.h"

#include <gtest/gtest.h>

namespace bentohost::service {
namespace {

plugin::IoSpec make_spec(std::uint32_t kind, std::string descriptor) {
  plugin::IoSpec spec;
  spec.kind = kind;
  spec.descriptor = std::move(descriptor);
  return spec;
}

std::string write(const bento_value& value, const plugin::IoSpec& spec, std::uint32_t stream) {
  std::string out;
  const Status status = append_result(out, {&value, 1}, {spec}, "api x", false, stream);
  return status.ok() ? out : status.message();
}

bento_value make_bytes(std::uint32_t kind, std::string_view bytes) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = kind;
  value.bytes = {bytes.data(), bytes.size()};
  return value;
}

std::string event(std::string_view data, std::string_view type = {}) {
  std::string out;
  append_event(out, data, type);
  return out;
}

TEST(StreamText, AnEventHasALineForEachLineOfItsData) {
  EXPECT_EQ(event("a"), "data: a\n\n");
  EXPECT_EQ(event(""), "data: \n\n");
  EXPECT_EQ(event("a\nb\r\nc\rd\n"), "data: a\ndata: b\ndata: c\ndata: d\ndata: \n\n");
  EXPECT_EQ(event("{}", "error"), "event: error\ndata: {}\n\n");
}

TEST(StreamText, JsonIsOnOneLineAndItsStringsAsTheyAre) {
  const auto spec = make_spec(BENTO_JSON, "json");
  const bento_value value =
      make_bytes(BENTO_JSON, "{\n  \"a b\": [1.50, \"\\\" {\\\\\"],\t\"c\" : null\r\n}");
  EXPECT_EQ(write(value, spec, BENTO_AS_LINES), "{\"a b\":[1.50,\"\\\" {\\\\\"],\"c\":null}\n");
  EXPECT_EQ(write(value, spec, BENTO_AS_EVENTS),
            "data: {\"a b\":[1.50,\"\\\" {\\\\\"],\"c\":null}\n\n");
}

TEST(StreamText, TextIsDataOrAJsonString) {
  const auto spec = make_spec(BENTO_BYTES, "text");
  const bento_value value = make_bytes(BENTO_BYTES, "a \"b\"\nc");
  EXPECT_EQ(write(value, spec, BENTO_AS_EVENTS), "data: a \"b\"\ndata: c\n\n");
  EXPECT_EQ(write(value, spec, BENTO_AS_LINES), "\"a \\\"b\\\"\\nc\"\n");
}

TEST(StreamText, ATensorIsNestedArrays) {
  const std::int64_t shape[] = {2, 2};
  const std::int32_t numbers[] = {1, 2, 3, 4};
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_TENSOR;
  value.tensor = {BENTO_I32, 2, shape, nullptr, {numbers, sizeof numbers}};
  EXPECT_EQ(write(value, make_spec(BENTO_TENSOR, "ndarray"), BENTO_AS_LINES), "[[1,2],[3,4]]\n");
}

TEST(StreamText, WhatDoesNotFitItsDeclarationIsAnError) {
  EXPECT_EQ(write(make_bytes(BENTO_BYTES, "\xff"), make_spec(BENTO_BYTES, "text"), BENTO_AS_EVENTS),
            "api x returned text that is not UTF-8, but declares text");
}

}  // namespace
}  // namespace bentohost::service
