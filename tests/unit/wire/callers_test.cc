// The callers of a batch in its frames: what is known of each of them, those that have failed, and
// values that are not there.
#include <gmock/gmock.h>

#include <cstddef>

#include "unit/wire/samples.h"
#include "wire/frame.h"
#include "wire/frame_layout.h"

namespace bentohost::wire {
namespace {

using ::testing::ElementsAre;

AlignedBuffer body_of(const AlignedBuffer& frame) {
  const auto length = static_cast<std::size_t>(decode_header(frame)->body_length);
  AlignedBuffer body;  // exactly as long, so that a sanitizer sees any step beyond it
  body.resize(length);
  std::memcpy(body.data(), frame.data() + kHeaderSize, length);
  return body;
}

AlignedBuffer call_of(const std::vector<Caller>& callers, const std::vector<Value>& values) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kCall, 7, 0);
  const std::vector<std::uint32_t> rows(callers.size(), 1);
  frame.rows(rows, static_cast<std::uint32_t>(values.size()), callers);
  for (const Value& value : values) frame.value(value.view());
  EXPECT_TRUE(frame.finish());
  return body_of(out);
}

AlignedBuffer result_of(const std::vector<FailedCaller>& failed, const std::vector<Value>& values) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kResult, 7, 0);
  frame.value_count(static_cast<std::uint32_t>(values.size()), failed);
  for (const Value& value : values) frame.value(value.view());
  EXPECT_TRUE(frame.finish());
  return body_of(out);
}

TEST(FrameOfCallers, CallTellsOfEachWhatIsKnown) {
  const std::string trace(55, 't');
  const AlignedBuffer body = call_of({{1234567890123456789u, "first", trace}, {}, {0, "third", ""}},
                                     {make_tensor(BENTO_F64, {3, 2}, "x")});
  DecodedValues decoded;
  ASSERT_TRUE(decode_call(body, decoded).ok());
  EXPECT_THAT(decoded.rows, ElementsAre(1, 1, 1));
  ASSERT_EQ(decoded.callers.size(), 3u);
  EXPECT_EQ(decoded.callers[0].deadline_ns, 1234567890123456789u);
  EXPECT_EQ(decoded.callers[0].request_id, "first");
  EXPECT_EQ(decoded.callers[0].traceparent, trace);
  EXPECT_EQ(decoded.callers[1].deadline_ns, 0u);
  EXPECT_EQ(decoded.callers[1].request_id, "");
  EXPECT_EQ(decoded.callers[2].request_id, "third");
  EXPECT_EQ(decoded.values[0].tensor.shape[0], 3);
}

TEST(FrameOfCallers, ResultTellsWhoHasFailedAndWhy) {
  const AlignedBuffer body =
      result_of({{1, Status::with_http(422, BENTO_INVALID_ARGUMENT, "too small")},
                 {4, Status(BENTO_NOT_FOUND, "")}},
                {make_tensor(BENTO_F64, {5, 2}, "y")});
  DecodedValues decoded;
  ASSERT_TRUE(decode_result(body, decoded).ok());
  ASSERT_EQ(decoded.failed.size(), 2u);
  EXPECT_EQ(decoded.failed[0].caller, 1u);
  EXPECT_EQ(decoded.failed[0].status.code(), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(decoded.failed[0].status.http_status(), 422u);
  EXPECT_EQ(decoded.failed[0].status.message(), "too small");
  EXPECT_EQ(decoded.failed[1].caller, 4u);
  EXPECT_EQ(decoded.failed[1].status.http_status(), 404u);
  EXPECT_EQ(decoded.values.size(), 1u);
  ASSERT_TRUE(decode_result(result_of({}, {}), decoded).ok());
  EXPECT_TRUE(decoded.failed.empty()) << "those of the frame before";
}

TEST(FrameOfCallers, AValueThatIsNotThereKeepsItsPlaceAndItsName) {
  Value missing;
  missing.name = "w";
  const AlignedBuffer body = call_of({{}}, {make_tensor(BENTO_I8, {1}, "x"), missing});
  DecodedValues decoded;
  ASSERT_TRUE(decode_call(body, decoded).ok());
  ASSERT_EQ(decoded.values.size(), 2u);
  EXPECT_EQ(decoded.values[1].kind, 0u);
  EXPECT_EQ(to_view(decoded.values[1].name), "w");
  EXPECT_EQ(decoded.values[1].bytes.len, 0u);
}

TEST(FrameOfCallers, AValueThatIsNotThereHasNoData) {
  const AlignedBuffer good = result_of({}, {Value(), make_blob(BENTO_BYTES, "")});
  DecodedValues decoded;
  ASSERT_TRUE(decode_result(good, decoded).ok());
  for (const std::size_t field :
       {offsetof(layout::Value, dtype), offsetof(layout::Value, ndim),
        offsetof(layout::Value, arena), offsetof(layout::Value, mime_length),
        offsetof(layout::Value, data_length)}) {
    AlignedBuffer bad = good;
    bad[kDataAlignment + field] = 1;
    EXPECT_FALSE(decode_result(bad, decoded).ok()) << field;
  }
}

TEST(FrameOfCallers, RefusesEveryTruncation) {
  const AlignedBuffer call = call_of({{1, "an id", "a trace"}, {2, "b", ""}}, {Value()});
  const AlignedBuffer result = result_of({{0, Status(BENTO_INTERNAL, "broken")}}, {Value()});
  DecodedValues decoded;
  for (std::size_t length = 0; length < call.size(); ++length) {
    AlignedBuffer cut(call.begin(), call.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(decode_call(cut, decoded).code(), BENTO_INVALID_ARGUMENT) << length;
    EXPECT_TRUE(decoded.callers.empty() && decoded.rows.empty());
  }
  for (std::size_t length = 0; length < result.size(); ++length) {
    AlignedBuffer cut(result.begin(), result.begin() + static_cast<std::ptrdiff_t>(length));
    EXPECT_EQ(decode_result(cut, decoded).code(), BENTO_INVALID_ARGUMENT) << length;
    EXPECT_TRUE(decoded.failed.empty());
  }
}

TEST(FrameOfCallers, RefusesFailedCallersOutOfOrderAndErrorsThatAreNone) {
  const AlignedBuffer good =
      result_of({{1, Status(BENTO_INTERNAL, "")}, {2, Status(BENTO_INTERNAL, "")}}, {});
  constexpr std::size_t kSecond = sizeof(layout::Counts) + sizeof(layout::FailedCaller);
  DecodedValues decoded;
  ASSERT_TRUE(decode_result(good, decoded).ok());
  const auto patched = [&](std::size_t field, std::uint32_t what) {
    AlignedBuffer bad = good;
    std::memcpy(bad.data() + kSecond + field, &what, sizeof what);
    return decode_result(bad, decoded).ok();
  };
  constexpr std::size_t kCaller = offsetof(layout::FailedCaller, caller);
  EXPECT_TRUE(patched(kCaller, 3));
  EXPECT_FALSE(patched(kCaller, 1)) << "twice";
  EXPECT_FALSE(patched(kCaller, 0)) << "backwards";
  EXPECT_FALSE(patched(offsetof(layout::FailedCaller, code), BENTO_OK));
  EXPECT_FALSE(patched(offsetof(layout::FailedCaller, message_length), 1));
  EXPECT_FALSE(patched(offsetof(layout::FailedCaller, message_length), kMaxMessage + 1));
  ASSERT_TRUE(patched(offsetof(layout::FailedCaller, http_status), 200));
  EXPECT_EQ(decoded.failed[1].status.http_status(), 500u) << "no error's: that of the code";
}

TEST(FrameOfCallers, TakesBackTextsThatAreTooLongAndCutsMessages) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kCall, 7, 0);
  const std::uint32_t rows[] = {1};
  const std::string long_id(1 << 16, 'i');
  const Caller callers[] = {{0, long_id, ""}};
  frame.rows(rows, 0, callers);
  EXPECT_FALSE(frame.finish());
  EXPECT_TRUE(out.empty());
  DecodedValues decoded;
  const std::string message(kMaxMessage + 1, 'm');
  const AlignedBuffer body = result_of({{0, Status(BENTO_INTERNAL, message)}}, {});
  ASSERT_TRUE(decode_result(body, decoded).ok());
  EXPECT_EQ(decoded.failed[0].status.message().size(), kMaxMessage);
}

}  // namespace
}  // namespace bentohost::wire
