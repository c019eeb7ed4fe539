#include "http/parse/inflater.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>

#include "unit/http/compress.h"

namespace bentohost::http {
namespace {

using ::testing::HasSubstr;

constexpr InflateLimits kLimits{1u << 20};

// Text that compresses about 3:1.
std::string digits(std::size_t size) {
  std::mt19937 random(7);
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>('0' + random() % 6);
  return text;
}

struct Outcome {
  std::uint32_t refused = 0;  // the HTTP status; 0: none
  std::string message;
  std::string body;
};

Outcome inflate_in(std::size_t piece, std::string_view coding, std::string_view bytes,
                   InflateLimits limits = kLimits) {
  Outcome outcome;
  Result<Inflater> inflater = Inflater::create(coding, limits);
  Status status = inflater.status();
  for (std::size_t at = 0; status.ok() && at < bytes.size(); at += piece) {
    status = inflater->feed(bytes.substr(at, piece), outcome.body);
  }
  if (status.ok()) status = inflater->finish();
  if (!status.ok()) outcome.refused = status.http_status();
  outcome.message = status.message();
  return outcome;
}

Outcome inflate_all(std::string_view coding, std::string_view bytes,
                    InflateLimits limits = kLimits) {
  return inflate_in(std::max<std::size_t>(bytes.size(), 1), coding, bytes, limits);
}

TEST(Inflater, TakesEachCodingOffWhateverThePieces) {
  const std::string text = digits(50'000);
  const struct {
    const char* coding;
    int format;
  } cases[] = {{"gzip", kGzip},    {"x-gzip", kGzip}, {"GZip", kGzip},
               {"deflate", kZlib}, {"deflate", kRaw}, {" , identity, gzip,", kGzip}};
  for (const auto& [coding, format] : cases) {
    for (const int level : {0, 1, 9}) {
      const std::string bytes = compress(text, format, level);
      for (const std::size_t piece : {1, 2, 7, 4096, 100'000}) {
        const Outcome got = inflate_in(piece, coding, bytes);
        EXPECT_EQ(got.refused, 0u) << coding << ' ' << piece << ' ' << got.message;
        EXPECT_TRUE(got.body == text) << coding << ' ' << piece;
      }
    }
  }
}

TEST(Inflater, CopiesABodyWithoutACoding) {
  for (const char* coding : {"", "identity", "Identity , identity"}) {
    Result<Inflater> inflater = Inflater::create(coding, {5});
    ASSERT_TRUE(inflater.ok());
    EXPECT_FALSE(inflater->is_needed());
    std::string body;
    EXPECT_TRUE(inflater->feed("abc", body).ok());
    EXPECT_TRUE(inflater->feed("de", body).ok());
    EXPECT_EQ(inflater->feed("f", body).http_status(), 413u);
    EXPECT_EQ(body, "abcde");
    EXPECT_TRUE(inflater->finish().ok());
  }
}

TEST(Inflater, RefusesUnknownAndStackedCodingsByName) {
  for (const char* coding : {"br", "gzip, gzip", "gzip, br", "compress", "gzip;q=1", "zstd"}) {
    const Outcome got = inflate_all(coding, "");
    EXPECT_EQ(got.refused, 415u) << coding;
    EXPECT_THAT(got.message, HasSubstr(coding));
  }
  EXPECT_LT(inflate_all(std::string(5000, 'x'), "").message.size(), 200u);
}

TEST(Inflater, SeesCodingsInSeveralHeaderLines) {
  const Headers twice = {{"content-encoding", "gzip"}, {"content-encoding", "deflate"}};
  EXPECT_EQ(Inflater::create(twice, kLimits).status().http_status(), 415u);
  const Headers once = {{"content-type", "br"}, {"content-encoding", "gzip"}};
  EXPECT_TRUE(Inflater::create(once, kLimits)->is_needed());
  EXPECT_FALSE(Inflater::create(Headers(), kLimits)->is_needed());
}

TEST(Inflater, TakesNoBytesAtAllForAnEmptyBody) {
  EXPECT_EQ(inflate_all("gzip", "").refused, 0u);
  const Outcome got = inflate_all("gzip", compress("", kGzip));
  EXPECT_EQ(got.refused, 0u);
  EXPECT_EQ(got.body, "");
}

TEST(Inflater, RefusesDataThatEndsEarly) {
  for (const int format : {kGzip, kZlib, kRaw}) {
    const std::string bytes = compress("a text, and some more text", format);
    for (std::size_t size = 1; size < bytes.size(); ++size) {
      const Outcome got = inflate_all(format == kGzip ? "gzip" : "deflate",
                                      std::string_view(bytes).substr(0, size));
      EXPECT_EQ(got.refused, 400u) << format << ' ' << size;
    }
  }
}

TEST(Inflater, RefusesCorruptData) {
  std::string bytes = compress("a text", kGzip);
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 1);  // of the CRC
  EXPECT_EQ(inflate_all("gzip", bytes).refused, 400u);
  EXPECT_THAT(inflate_all("gzip", bytes).message, HasSubstr("corrupt"));
  EXPECT_EQ(inflate_all("gzip", "{\"a\": 1}").refused, 400u);
  EXPECT_EQ(inflate_all("deflate", compress("a text", kGzip)).refused, 400u);
  EXPECT_EQ(inflate_all("gzip", compress("a text", kZlib)).refused, 400u);
  // A zlib header that requires a dictionary.
  EXPECT_EQ(inflate_all("deflate", "\x78\x20\x01\x02\x03\x04").refused, 400u);
}

TEST(Inflater, RefusesBytesAfterTheEnd) {
  for (const int format : {kGzip, kZlib, kRaw}) {
    for (const std::string& more : {std::string("x"), std::string(1, '\0')}) {
      const std::string bytes = compress("a text", format) + more;
      for (const std::size_t piece : {std::size_t{1}, bytes.size()}) {
        const Outcome got = inflate_in(piece, format == kGzip ? "gzip" : "deflate", bytes);
        EXPECT_EQ(got.refused, 400u) << format;
        EXPECT_THAT(got.message, HasSubstr("after the end"));
      }
    }
  }
  EXPECT_EQ(inflate_all("deflate", compress("a", kZlib) + compress("b", kZlib)).refused, 400u);
}

TEST(Inflater, JoinsGzipMembers) {
  const std::string bytes = compress("one, ", kGzip) + compress("", kGzip) + compress("two", kGzip);
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const Outcome got = inflate_in(piece, "gzip", bytes);
    EXPECT_EQ(got.refused, 0u) << piece;
    EXPECT_EQ(got.body, "one, two");
  }
  EXPECT_EQ(inflate_all("gzip", bytes + "\x1f").refused, 400u);
}

TEST(Inflater, TakesABodyOfTheLimitAndNoMore) {
  for (const std::size_t size : {std::size_t{0}, std::size_t{100}, Inflater::kStep,
                                 Inflater::kStep + 1, 3 * Inflater::kStep}) {
    const std::string text = digits(size);
    for (const int format : {kGzip, kRaw}) {
      const std::string bytes = compress(text, format);
      const char* coding = format == kGzip ? "gzip" : "deflate";
      for (const std::size_t piece : {std::size_t{1}, std::size_t{5}, bytes.size()}) {
        EXPECT_EQ(inflate_in(piece, coding, bytes, {size}).refused, 0u) << size;
        EXPECT_EQ(inflate_in(piece, coding, bytes, {size}).body, text) << size;
        if (size == 0) continue;
        EXPECT_EQ(inflate_in(piece, coding, bytes, {size - 1}).refused, 413u) << size;
      }
    }
  }
}

TEST(Inflater, CountsGzipMembersTogether) {
  std::string bytes;
  for (int i = 0; i < 11; ++i) bytes += compress("0123456789", kGzip);
  const Outcome got = inflate_all("gzip", bytes, {100});
  EXPECT_EQ(got.refused, 413u);
  EXPECT_EQ(got.body.size(), 100u);
}

TEST(Inflater, StopsABombBeforeItGrows) {
  const std::string bomb = compress(std::string(100u << 20, 'x'), kGzip);
  const Outcome got = inflate_all("gzip", bomb, {1u << 30});
  EXPECT_EQ(got.refused, 413u);
  EXPECT_THAT(got.message, HasSubstr("100 times its compressed size"));
  EXPECT_LE(got.body.size(), Inflater::kFreeInflation);
  // A greater ratio may be allowed; the size is still bounded.
  EXPECT_EQ(inflate_all("gzip", bomb, {1u << 20, 5000}).body.size(), 1u << 20);
  EXPECT_EQ(inflate_all("gzip", bomb, {1u << 20, 0}).refused, 413u);
}

TEST(Inflater, LetsASmallBodyHaveAnyRatio) {
  const std::string zeros(Inflater::kFreeInflation, '\0');
  const std::string bytes = compress(zeros, kGzip);
  EXPECT_LT(bytes.size() * 100, zeros.size());
  EXPECT_EQ(inflate_all("gzip", bytes).refused, 0u);
}

TEST(Inflater, JudgesTheRatioAlikeWhateverThePieces) {
  // Random text between runs of zeros, whose ratio passes the limit somewhere.
  std::string text = digits(3000);
  for (int i = 0; i < 20; ++i) text += std::string(20'000, '\0') + digits(600);
  const std::string bytes = compress(text, kGzip);
  for (std::size_t ratio = 10; ratio < 60; ++ratio) {
    const Outcome whole = inflate_all("gzip", bytes, {1u << 20, ratio});
    for (const std::size_t piece : {1, 2, 3, 100}) {
      const Outcome got = inflate_in(piece, "gzip", bytes, {1u << 20, ratio});
      ASSERT_EQ(got.refused, whole.refused) << ratio << ' ' << piece;
      ASSERT_EQ(got.body.size(), whole.body.size()) << ratio << ' ' << piece;
    }
  }
}

TEST(Inflater, NeverReservesMoreThanTheLimit) {
  const std::string text = digits(700'000);
  const std::string bytes = compress(text, kGzip);
  std::string body;
  Result<Inflater> inflater = Inflater::create("gzip", {700'000});
  for (std::size_t at = 0; at < bytes.size(); at += 1000) {
    ASSERT_TRUE(inflater->feed(std::string_view(bytes).substr(at, 1000), body).ok());
    ASSERT_LE(body.capacity(), 700'000u);
  }
  EXPECT_TRUE(inflater->finish().ok());
  EXPECT_TRUE(body == text);
}

}  // namespace
}  // namespace bentohost::http
