// FrameReader of wire/frame.h: wherever bytes are cut, the same frames come out, in bounded memory.
#include <gtest/gtest.h>

#include <algorithm>

#include "unit/wire/samples.h"
#include "wire/frame.h"

namespace bentohost::wire {
namespace {

using Frame = FrameReader::Frame;

constexpr std::size_t kKiB = 1024, kMiB = 1024 * kKiB;

void append_hello(AlignedBuffer& stream, std::uint64_t id, const std::string& text) {
  FrameWriter frame(stream, FrameType::kHello, id, 0);
  frame.text(text);
  ASSERT_TRUE(frame.finish());
}

AlignedBuffer hello(std::uint64_t id, const std::string& text) {
  AlignedBuffer stream;
  append_hello(stream, id, text);
  return stream;
}

// Feeds as much of `bytes` as fits into one read; returns the rest.
std::span<const char> feed(FrameReader& reader, std::span<const char> bytes) {
  const std::span<char> room = reader.writable();
  EXPECT_FALSE(room.empty());
  const std::size_t n = std::min(room.size(), bytes.size());
  std::copy_n(bytes.begin(), n, room.begin());
  reader.commit(n);
  return bytes.subspan(n);
}

// The next frame, with its alignment checked; nullopt when there is none.
std::optional<Frame> take(FrameReader& reader) {
  auto frame = reader.next();
  EXPECT_TRUE(frame.ok()) << frame.status().message();
  if (!frame.ok() || !(*frame).has_value()) return std::nullopt;
  EXPECT_TRUE(is_aligned((**frame).body.data()));
  return *frame;
}

void expect_hello(const std::optional<Frame>& frame, std::uint64_t id, const std::string& text) {
  ASSERT_TRUE(frame.has_value()) << "frame " << id;
  EXPECT_EQ(frame->header.id, id);
  EXPECT_EQ(std::string(frame->body.begin(), frame->body.end()), text);
}

TEST(FrameReader, JoinsAFrameThatIsSplitAtAnyByte) {
  const AlignedBuffer bytes = hello(1, std::string(100, 'a'));
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    FrameReader reader;
    feed(reader, std::span(bytes).first(cut));
    EXPECT_FALSE(take(reader).has_value()) << cut;
    EXPECT_EQ(reader.pending(), cut);
    feed(reader, std::span(bytes).subspan(cut));
    expect_hello(take(reader), 1, std::string(100, 'a'));
    EXPECT_FALSE(take(reader).has_value());
    EXPECT_EQ(reader.pending(), 0u);
  }
}

TEST(FrameReader, JoinsAStreamThatComesByteByByte) {
  AlignedBuffer stream = hello(1, "");
  append_hello(stream, 2, "two");
  FrameReader reader;
  std::vector<std::uint64_t> ids;
  for (const char& byte : stream) {
    feed(reader, {&byte, 1});
    while (const auto frame = take(reader)) ids.push_back(frame->header.id);
  }
  EXPECT_EQ(ids, (std::vector<std::uint64_t>{1, 2}));
}

TEST(FrameReader, FramesOfOneReadAllLiveUntilTheNext) {
  AlignedBuffer stream;
  std::vector<Frame> frames;
  for (std::uint64_t id = 0; id < 100; ++id) append_hello(stream, id, std::to_string(id));
  FrameReader reader;
  ASSERT_TRUE(feed(reader, stream).empty());
  while (const auto frame = take(reader)) frames.push_back(*frame);
  ASSERT_EQ(frames.size(), 100u);
  for (std::uint64_t id = 0; id < 100; ++id) expect_hello(frames[id], id, std::to_string(id));
}

TEST(FrameReader, AnyCutsGiveTheSameFrames) {
  Random random(3);
  for (int round = 0; round < 100; ++round) {
    AlignedBuffer stream;
    std::vector<std::string> texts;
    for (int i = 0; i < 20; ++i) {
      const std::int64_t most = random.between(0, 4) == 0 ? 100'000 : 300;
      const auto length = static_cast<std::size_t>(random.between(0, most));
      texts.emplace_back(length, static_cast<char>('a' + i));
      append_hello(stream, static_cast<std::uint64_t>(i), texts.back());
    }
    FrameReader reader;
    std::size_t next = 0;
    for (std::span<const char> rest = stream; !rest.empty();) {
      const auto cut = static_cast<std::size_t>(random.between(1, 70'000));
      const std::span<const char> piece = rest.first(std::min(cut, rest.size()));
      rest = rest.subspan(piece.size() - feed(reader, piece).size());
      while (const auto frame = take(reader)) {
        ASSERT_LT(next, texts.size());
        expect_hello(frame, next, texts[next]);
        ++next;
      }
    }
    EXPECT_EQ(next, texts.size());
    EXPECT_EQ(reader.pending(), 0u);
  }
}

TEST(FrameReader, ManySmallFramesNeverGrowTheBuffer) {
  AlignedBuffer one = hello(1, std::string(1000, 'a'));
  FrameReader reader;
  std::size_t fed = 0, taken = 0;
  std::size_t offset = 0;  // in `one`: reads that never end with a frame leave a rest
  while (taken < 5000) {
    const std::span<const char> piece =
        std::span(one).subspan(offset).first(std::min<std::size_t>(one.size() - offset, 700));
    feed(reader, piece);
    fed += piece.size();
    offset = (offset + piece.size()) % one.size();
    while (take(reader)) ++taken;
  }
  EXPECT_EQ(taken, fed / one.size());
  EXPECT_EQ(reader.capacity(), 64 * kKiB);
}

TEST(FrameReader, CompactsARestOfAFullBuffer) {
  // 16 frames of 5 KiB leave the 13th cut by the end of a 64 KiB buffer.
  AlignedBuffer stream;
  for (std::uint64_t id = 0; id < 16; ++id) append_hello(stream, id, std::string(5 * kKiB, 'a'));
  FrameReader reader;
  std::span<const char> rest = stream;
  std::uint64_t id = 0;
  while (!rest.empty()) {
    rest = feed(reader, rest);
    while (const auto frame = take(reader)) expect_hello(frame, id++, std::string(5 * kKiB, 'a'));
  }
  EXPECT_EQ(id, 16u);
  EXPECT_EQ(reader.capacity(), 64 * kKiB);
}

TEST(FrameReader, GrowsWithWhatArrivesAndNotWithWhatIsClaimed) {
  AlignedBuffer header = hello(1, "");
  std::memcpy(header.data() + 24, &kMaxBody, sizeof kMaxBody);
  FrameReader reader;
  feed(reader, header);
  std::size_t arrived = header.size();
  const std::string piece(64 * kKiB, 'a');
  while (arrived < 4 * kMiB) {
    EXPECT_FALSE(take(reader).has_value());
    arrived += piece.size() - feed(reader, piece).size();
    EXPECT_EQ(reader.pending(), arrived);
    EXPECT_LE(reader.capacity(), std::max(64 * kKiB, 2 * arrived + 64 * kKiB));
  }
}

TEST(FrameReader, HoldsAHugeFrameInLittleMoreThanItsSize) {
  const std::string text(5 * kMiB, 'h');
  const AlignedBuffer stream = hello(1, text);
  FrameReader reader;
  std::optional<Frame> frame;
  for (std::span<const char> rest = stream; !rest.empty(); frame = take(reader)) {
    EXPECT_FALSE(frame.has_value());
    rest = feed(reader, rest);
  }
  expect_hello(frame, 1, text);
  EXPECT_LE(reader.capacity(), stream.size() + 64 * kKiB);
}

TEST(FrameReader, GivesBackTheMemoryOfAHugeFrame) {
  const AlignedBuffer huge = hello(1, std::string(5 * kMiB, 'h'));
  const AlignedBuffer small = hello(2, "small");
  FrameReader reader;
  for (std::span<const char> rest = huge; !rest.empty();) {
    rest = feed(reader, rest);
    if (rest.empty()) break;
    EXPECT_FALSE(take(reader).has_value());
  }
  ASSERT_TRUE(take(reader).has_value());
  EXPECT_GT(reader.capacity(), 5 * kMiB);
  reader.recycle();
  EXPECT_LE(reader.capacity(), 64 * kKiB);
  feed(reader, small);
  expect_hello(take(reader), 2, "small");
}

TEST(FrameReader, GivesBackTheMemoryEvenWhenTheNextFrameHasBegun) {
  AlignedBuffer stream = hello(1, std::string(5 * kMiB, 'h'));
  append_hello(stream, 2, "next");
  const std::size_t cut = stream.size() - 1;
  FrameReader reader;
  for (std::span<const char> rest = std::span(stream).first(cut); !rest.empty();) {
    rest = feed(reader, rest);
    take(reader);
  }
  EXPECT_GT(reader.capacity(), 5 * kMiB);
  EXPECT_GT(reader.pending(), 0u);
  reader.recycle();
  EXPECT_LE(reader.capacity(), 64 * kKiB);
  feed(reader, std::span(stream).subspan(cut));
  expect_hello(take(reader), 2, "next");
}

TEST(FrameReader, AHeaderThatIsNoHeaderBreaksTheStreamForGood) {
  AlignedBuffer bad = hello(1, "bad");
  bad[0] = 'X';
  const AlignedBuffer good = hello(2, "good");
  FrameReader reader;
  feed(reader, good);
  expect_hello(take(reader), 2, "good");
  feed(reader, bad);
  EXPECT_EQ(reader.next().status().code(), BENTO_INVALID_ARGUMENT);
  for (int i = 0; i < 2000; ++i) {
    feed(reader, good);
    EXPECT_EQ(reader.next().status().message(), "malformed frame: wrong magic");
  }
  EXPECT_EQ(reader.capacity(), 64 * kKiB);
}

TEST(FrameReader, NoSingleBitOfAHeaderMakesItTakeADifferentValue) {
  AlignedBuffer good;
  const Value sent = make_tensor(BENTO_F64, {2, 4}, "x");
  FrameWriter writer(good, FrameType::kResult, 1, 0);
  writer.value_count(1);
  writer.value(sent.view());
  ASSERT_TRUE(writer.finish());
  for (std::size_t bit = 0; bit < kHeaderSize * 8; ++bit) {
    AlignedBuffer bad = good;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << bit % 8));
    FrameReader reader;
    feed(reader, bad);
    const auto frame = reader.next();
    DecodedValues decoded;
    if (!frame.ok() || !(*frame).has_value()) continue;
    if (!decode_result((**frame).body, decoded).ok()) continue;
    expect_same(decoded.values.at(0), sent.view());
  }
}

TEST(FrameReader, HoldsNoMemoryBeforeItsFirstRead) {
  FrameReader reader;
  EXPECT_EQ(reader.capacity(), 0u);
  EXPECT_FALSE(take(reader).has_value());
  EXPECT_EQ(reader.pending(), 0u);
}

}  // namespace
}  // namespace bentohost::wire
