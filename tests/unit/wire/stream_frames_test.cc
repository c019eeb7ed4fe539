// The frames of calls that stream.
#include <gtest/gtest.h>

#include <cstddef>

#include "wire/frame.h"
#include "wire/frame_layout.h"

namespace bentohost::wire {
namespace {

constexpr std::uint64_t kId = 7;

std::span<const char> body_of(const AlignedBuffer& frame) {
  return std::span(frame).subspan(kHeaderSize, decode_header(frame)->body_length);
}

TEST(StreamFrames, AResultMaySayThatAnotherFollows) {
  for (const auto type : {FrameType::kResult, FrameType::kCall, FrameType::kError}) {
    AlignedBuffer out;
    FrameWriter frame(out, type, kId, 0);
    frame.text("12345");
    frame.more();
    ASSERT_TRUE(frame.finish());
    const auto header = decode_header(out);
    EXPECT_EQ(header.ok(), type == FrameType::kResult);
    if (header.ok()) {
      EXPECT_TRUE(header->more);
    }
    out[offsetof(layout::Header, flags)] = 2;
    EXPECT_FALSE(decode_header(out).ok()) << "a flag that nobody knows";
  }
}

TEST(StreamFrames, RoomCarriesItsNumbers) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kRoom, kId, 0);
  frame.room({16, 4096});
  ASSERT_TRUE(frame.finish());
  const auto room = decode_room(body_of(out));
  ASSERT_TRUE(room.ok());
  EXPECT_EQ(room->results, 16u);
  EXPECT_EQ(room->bytes, 4096u);
  EXPECT_FALSE(decode_room(body_of(out).first(7)).ok());
  EXPECT_FALSE(decode_room(std::span<const char>(out.data(), 9)).ok());
}

}  // namespace
}  // namespace bentohost::wire
