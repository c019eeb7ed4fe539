#include "http/parse/dechunker.h"

#include <gtest/gtest.h>

#include <string>

namespace bentohost::http {
namespace {

constexpr std::size_t kMax = 100;

// The HTTP status that refuses `bytes`; 0 for a whole body or the start of one.
std::uint32_t refusal(std::string_view bytes) {
  Dechunker dechunker(kMax);
  std::string body;
  const Result<std::size_t> taken = dechunker.feed(bytes, body);
  return taken.ok() ? 0 : taken.status().http_status();
}

TEST(Dechunker, JoinsChunksWhateverThePieces) {
  const std::string bytes =
      "5\r\nhello\r\n00B;name=\"v\"\r\n, you there\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    Dechunker dechunker(kMax);
    std::string body;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      ASSERT_FALSE(dechunker.done());
      const std::string_view part = std::string_view(bytes).substr(at, piece);
      const Result<std::size_t> taken = dechunker.feed(part, body);
      ASSERT_TRUE(taken.ok()) << piece;
      ASSERT_EQ(*taken, part.size());
    }
    EXPECT_TRUE(dechunker.done());
    EXPECT_EQ(body, "hello, you there");
  }
}

TEST(Dechunker, LeavesTheNextRequestAlone) {
  Dechunker dechunker(kMax);
  std::string body;
  const Result<std::size_t> taken = dechunker.feed("1\r\na\r\n0\r\n\r\nGET /", body);
  ASSERT_TRUE(taken.ok());
  EXPECT_EQ(*taken, 11u);
  EXPECT_TRUE(dechunker.done());
}

TEST(Dechunker, RefusesWhatIsNotExactlyAChunk) {
  for (const char* bytes : {"-1\r\n", "+1\r\n", "0x1\r\n", " 1\r\n", "1 \r\n", "\r\n", ";a\r\n",
                            "g\r\n", "1\na", "1\r\r\n", "1\r\nab", "1\r\na\n", "1;a\nb", "1;\x01",
                            "0\r\n\n", "0\r\n A: 1\r\n", "0\r\nA: 1\n", "0\r\n\rx"}) {
    EXPECT_EQ(refusal(bytes), 400u) << bytes;
  }
}

TEST(Dechunker, TakesABodyOfTheLimitAndNoMore) {
  EXPECT_EQ(refusal("64\r\n" + std::string(100, 'x') + "\r\n0\r\n\r\n"), 0u);
  EXPECT_EQ(refusal("64\r\n" + std::string(100, 'x') + "\r\n1\r\n"), 413u);
}

TEST(Dechunker, RefusesAChunkBeyondTheLimitBeforeItsData) {
  EXPECT_EQ(refusal("65"), 413u);
  EXPECT_EQ(refusal("ffffffffffffffffffffff"), 413u);
}

TEST(Dechunker, CountsTinyChunksTogether) {
  std::string bytes;
  for (std::size_t i = 0; i <= kMax; ++i) bytes += "1\r\nx\r\n";
  EXPECT_EQ(refusal(bytes), 413u);
}

TEST(Dechunker, BoundsExtensionsTrailersAndZeros) {
  const std::string much(9000, '0');
  EXPECT_EQ(refusal(much), 400u);
  EXPECT_EQ(refusal("1;" + much), 400u);
  EXPECT_EQ(refusal("0\r\nA: " + much), 400u);
}

}  // namespace
}  // namespace bentohost::http
