#include "http/files/byte_range.h"

#include <gtest/gtest.h>

#include <string>

namespace bentohost::http {
namespace {

constexpr std::uint64_t kSize = 1000;

// "0+5 10+1", "none" for a 416, or "ignored".
std::string selected(std::string_view field, std::uint64_t size = kSize) {
  const auto ranges = select_ranges(field, size);
  if (!ranges) return "ignored";
  std::string text;
  for (const ByteRange& range : *ranges) {
    if (!text.empty()) text += ' ';
    text.append(std::to_string(range.offset)).append("+").append(std::to_string(range.length));
  }
  return text.empty() ? "none" : text;
}

TEST(ByteRange, IsFromTheStartOrFromTheEnd) {
  EXPECT_EQ(selected("bytes=0-499"), "0+500");
  EXPECT_EQ(selected("bytes=500-999"), "500+500");
  EXPECT_EQ(selected("bytes=0-0"), "0+1");
  EXPECT_EQ(selected("bytes=-1"), "999+1");
  EXPECT_EQ(selected("bytes=9-"), "9+991");
  EXPECT_EQ(selected("Bytes=0000-0001"), "0+2");
}

TEST(ByteRange, IsClippedToWhatThereIs) {
  EXPECT_EQ(selected("bytes=0-1000"), "0+1000");
  EXPECT_EQ(selected("bytes=999-99999999999999999999999999"), "999+1");
  EXPECT_EQ(selected("bytes=-1001"), "0+1000");
  EXPECT_EQ(selected("bytes=-99999999999999999999999999"), "0+1000");
  EXPECT_EQ(selected("bytes=0-18446744073709551615"), "0+1000");
}

TEST(ByteRange, ComesInTheOrderAskedForWithoutThoseThatCannotBe) {
  EXPECT_EQ(selected("bytes=500-600, 0-1 ,-1"), "500+101 0+2 999+1");
  EXPECT_EQ(selected("bytes=0-1,1000-,5000-6000,-0"), "0+2");
  EXPECT_EQ(selected("bytes= ,0-1,,"), "0+2");
  EXPECT_EQ(selected("bytes=0-1,2-3"), "0+2 2+2");
}

TEST(ByteRange, CannotBeSatisfiedBeyondTheEnd) {
  for (const char* field : {"bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=1000-,-0",
                            "bytes=99999999999999999999999999-"}) {
    EXPECT_EQ(selected(field), "none") << field;
  }
}

TEST(ByteRange, IsIgnoredWhenMalformed) {
  for (const char* field :
       {"", "bytes", "bytes=", "bytes=,", "bytes=-", "bytes=a-b", "bytes=1", "bytes=5-4",
        "bytes=0-1,x", "bytes=0-1,5-4", "bytes=0 - 1", "bytes =0-1", "bytes=+0-1", "bytes=--1",
        "bytes=0-1-2", "bytes=0-1;2-3", "bytes=0x0-1", "items=0-1", "bytes=0-1, bytes=2-3"}) {
    EXPECT_EQ(selected(field), "ignored") << field;
  }
}

TEST(ByteRange, IsIgnoredWhenTheyOverlap) {
  EXPECT_EQ(selected("bytes=0-1,1-2"), "ignored");
  EXPECT_EQ(selected("bytes=5-,0-1,-1"), "ignored");
  EXPECT_EQ(selected("bytes=0-,0-"), "ignored");
  EXPECT_EQ(selected("bytes=0-,-1"), "ignored");
}

TEST(ByteRange, IsIgnoredBeyondSixteen) {
  std::string field = "bytes=0-0";
  for (int i = 1; i < 16; ++i) {
    const std::string at = std::to_string(2 * i);
    field.append(",").append(at).append("-").append(at);
  }
  EXPECT_NE(selected(field), "ignored");
  EXPECT_EQ(selected(field + ",2000-"), "ignored");
}

TEST(ByteRange, IsIgnoredWhereThereAreNoBytes) {
  EXPECT_EQ(selected("bytes=0-", 0), "ignored");
  EXPECT_EQ(selected("bytes=-5", 0), "ignored");
}

TEST(ByteRange, ReachesTheEndOfTheGreatestFile) {
  const std::uint64_t size = ~std::uint64_t{0};
  EXPECT_EQ(selected("bytes=18446744073709551614-", size), "18446744073709551614+1");
  EXPECT_EQ(selected("bytes=0-,-1", size), "ignored");
}

TEST(ByteRange, IsToldInContentRange) {
  EXPECT_EQ(content_range({0, 500}, 1234), "bytes 0-499/1234");
  EXPECT_EQ(content_range({1233, 1}, 1234), "bytes 1233-1233/1234");
  EXPECT_EQ(unsatisfied_range(1234), "bytes */1234");
}

TEST(ByteRange, ComesInPartsWithHeadersOfTheirOwn) {
  const std::string content = "0123456789";
  const auto pieces = multipart_byteranges({{7, 2}, {0, 1}}, 10, "text/plain", "XX");
  std::string body;
  for (const BodyPiece& piece : pieces) {
    body += piece.text + content.substr(piece.range.offset, piece.range.length);
  }
  EXPECT_EQ(body,
            "\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 7-8/10\r\n\r\n78"
            "\r\n--XX\r\nContent-Type: text/plain\r\nContent-Range: bytes 0-0/10\r\n\r\n0"
            "\r\n--XX--\r\n");
  EXPECT_EQ(total_length(pieces), body.size());
  EXPECT_EQ(multipart_type("XX"), "multipart/byteranges; boundary=XX");
}

}  // namespace
}  // namespace bentohost::http
