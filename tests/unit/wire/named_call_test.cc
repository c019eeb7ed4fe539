#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>

#include "wire/frame.h"
#include "wire/frame_layout.h"

namespace bentohost::wire {
namespace {

using testing::HasSubstr;

const CallTarget kTarget{"iris_classifier", "iris_clf", "predict", "request-7", 1500};

Value features() {
  Value value;
  value.kind = BENTO_TENSOR;
  value.name = "x";
  value.dtype = BENTO_F64;
  value.shape = {1, 4};
  value.data.assign(32, '\x7');
  return value;
}

AlignedBuffer encode(const CallTarget& target) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kNamedCall, 3, 0);
  frame.target(target, 1);
  frame.value(features().view());
  EXPECT_TRUE(frame.finish());
  return out;
}

AlignedBuffer body_of(const AlignedBuffer& frame) {
  const auto header = decode_header(frame);
  EXPECT_TRUE(header.ok()) << header.status().message();
  EXPECT_EQ(header->type, FrameType::kNamedCall);
  const auto body = std::span(frame).subspan(kHeaderSize, header->body_length);
  return {body.begin(), body.end()};
}

TEST(NamedCall, CarriesItsTargetAndItsValues) {
  const AlignedBuffer body = body_of(encode(kTarget));
  CallTarget target;
  DecodedValues decoded;
  ASSERT_TRUE(decode_named_call(body, target, decoded).ok());
  EXPECT_EQ(target.service, kTarget.service);
  EXPECT_EQ(target.runner, kTarget.runner);
  EXPECT_EQ(target.method, kTarget.method);
  EXPECT_EQ(target.request_id, kTarget.request_id);
  EXPECT_EQ(target.deadline_ms, kTarget.deadline_ms);
  ASSERT_EQ(decoded.values.size(), 1u);
  EXPECT_EQ(to_view(decoded.values[0].name), "x");
  EXPECT_EQ(decoded.values[0].tensor.shape[1], 4);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(decoded.values[0].tensor.data.ptr) % kDataAlignment,
            0u);
}

TEST(NamedCall, IsRefusedWhereverItIsCut) {
  const AlignedBuffer body = body_of(encode(kTarget));
  for (std::size_t length = 0; length < body.size(); ++length) {
    const AlignedBuffer cut(body.begin(), body.begin() + static_cast<std::ptrdiff_t>(length));
    CallTarget target{"left", "over", "from", "before", 1};
    DecodedValues decoded;
    decoded.rows = {1};
    EXPECT_FALSE(decode_named_call(cut, target, decoded).ok()) << length;
    EXPECT_TRUE(target.runner.empty() && decoded.values.empty() && decoded.rows.empty());
  }
}

TEST(NamedCall, IsRefusedWithMoreValuesThanThereIsRoomFor) {
  AlignedBuffer body = body_of(encode(kTarget));
  for (const std::uint32_t values : {2u, 100u, kMaxValues + 1, 0xFFFFFFFFu}) {
    std::memcpy(body.data() + offsetof(layout::Target, values), &values, sizeof values);
    CallTarget target;
    DecodedValues decoded;
    EXPECT_FALSE(decode_named_call(body, target, decoded).ok()) << values;
  }
}

TEST(NamedCall, IsRefusedWithNamesLongerThanItself) {
  AlignedBuffer body = body_of(encode(kTarget));
  const std::uint16_t longest = 0xFFFF;
  std::memcpy(body.data() + offsetof(layout::Target, request_id_length), &longest, sizeof longest);
  CallTarget target;
  DecodedValues decoded;
  const Status status = decode_named_call(body, target, decoded);
  EXPECT_THAT(status.message(), HasSubstr("names are cut short"));
}

TEST(NamedCall, IsNotWrittenWithANameThatDoesNotFit) {
  const std::string long_name(0x10000, 'n');
  CallTarget target = kTarget;
  target.request_id = long_name;
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kNamedCall, 3, 0);
  frame.target(target, 1);
  frame.value(features().view());
  EXPECT_FALSE(frame.finish());
  EXPECT_TRUE(out.empty());
}

}  // namespace
}  // namespace bentohost::wire
