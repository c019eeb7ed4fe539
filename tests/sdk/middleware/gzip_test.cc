#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zlib.h>

#include <bento/middleware/gzip.hpp>

#include "sdk/fake_exchange.h"

namespace bento::middleware {
namespace {

using fakes::FakeExchange;
using fakes::Fields;

// Of a gzip stream that need not be at its end.
class Inflater {
 public:
  Inflater() { inflateInit2(&stream_, 15 + 16); }
  ~Inflater() { inflateEnd(&stream_); }
  Inflater(const Inflater&) = delete;

  std::string operator()(std::string_view piece) {
    std::string out;
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece.data()));
    stream_.avail_in = static_cast<uInt>(piece.size());
    int code = Z_OK;
    while (code == Z_OK) {
      char buffer[4096];
      stream_.next_out = reinterpret_cast<Bytef*>(buffer);
      stream_.avail_out = sizeof buffer;
      code = inflate(&stream_, Z_SYNC_FLUSH);
      out.append(buffer, sizeof buffer - stream_.avail_out);
    }
    EXPECT_TRUE(code == Z_BUF_ERROR || code == Z_STREAM_END) << code;
    is_ended = code == Z_STREAM_END;
    return out;
  }
  bool is_ended = false;

 private:
  z_stream stream_{};
};

const std::string kText(1000, 'x');

class GZipTest : public testing::Test {
 protected:
  GZipTest() {
    exchange_.headers = {{"accept-encoding", "gzip"}};
    exchange_.response_headers = {{"Content-Type", "text/plain; charset=utf-8"}};
  }
  std::string respond(const GZip& middleware, const std::string& body = kText) {
    return exchange_.respond(middleware, body, true, state_);
  }
  bool is_compressed() const { return exchange_.header("content-encoding") == "gzip"; }
  bool varies() const { return exchange_.header("vary") == "Accept-Encoding"; }

  FakeExchange exchange_;
  GZip::State state_;
};

TEST_F(GZipTest, CompressesAWholeAnswer) {
  exchange_.response_headers.emplace_back("Content-Length", "1000");
  const std::string body = respond(GZip());
  EXPECT_LT(body.size(), 100u);
  Inflater inflate;
  EXPECT_EQ(inflate(body), kText);
  EXPECT_TRUE(inflate.is_ended);
  EXPECT_TRUE(is_compressed());
  EXPECT_TRUE(varies());
  EXPECT_EQ(exchange_.header("content-length"), "") << "the host writes it";
}

TEST_F(GZipTest, CompressesWhatDoesNotCompress) {
  std::string noise;
  for (std::uint32_t i = 0, x = 1; i < 300'000; ++i, x = x * 1664525 + 1013904223) {
    noise += static_cast<char>(x >> 24);
  }
  Inflater inflate;
  EXPECT_EQ(inflate(respond(GZip({.compresslevel = 9}), noise)), noise);
}

TEST_F(GZipTest, FlushesEachPieceOfAStream) {
  const GZip middleware;
  exchange_.response_headers.emplace_back("content-length", "9");
  Inflater inflate;
  EXPECT_EQ(exchange_.respond(middleware, "", false, state_), "") << "nothing to send yet";
  EXPECT_EQ(exchange_.header("content-length"), "");
  EXPECT_TRUE(is_compressed());
  for (const char* piece : {"one", "two", "three"}) {
    EXPECT_EQ(inflate(exchange_.body(middleware, piece, false, state_)), piece);
    EXPECT_FALSE(inflate.is_ended);
  }
  EXPECT_EQ(exchange_.body(middleware, "", false, state_), "");
  EXPECT_EQ(inflate(exchange_.body(middleware, "", true, state_)), "");
  EXPECT_TRUE(inflate.is_ended);
}

TEST_F(GZipTest, LeavesAStreamAloneThatItDidNotBegin) {
  const GZip middleware;
  exchange_.response_headers = {{"content-type", "image/png"}};
  EXPECT_EQ(exchange_.respond(middleware, "one", false, state_), "one");
  EXPECT_EQ(exchange_.body(middleware, "two", true, state_), "two");
}

TEST_F(GZipTest, LeavesShortAnswersAlone) {
  EXPECT_EQ(respond(GZip(), std::string(499, 'x')), std::string(499, 'x'));
  EXPECT_FALSE(is_compressed());
  EXPECT_FALSE(varies());
  (void)respond(GZip(), std::string(500, 'x'));
  EXPECT_TRUE(is_compressed());
}

TEST_F(GZipTest, ReadsAcceptEncodingWithItsWeights) {
  const struct {
    Fields headers;
    bool accepts;
  } kCases[] = {
      {{}, false},
      {{{"accept-encoding", ""}}, false},
      {{{"accept-encoding", "gzip"}}, true},
      {{{"accept-encoding", "deflate, GZIP;q=0.5, br"}}, true},
      {{{"accept-encoding", "x-gzip"}}, true},
      {{{"accept-encoding", "gzip;q=0"}}, false},
      {{{"accept-encoding", "gzip;q=0.000, *;q=1"}}, false},
      {{{"accept-encoding", "gzip ; Q=0.001"}}, true},
      {{{"accept-encoding", "*"}}, true},
      {{{"accept-encoding", "*;q=0"}}, false},
      {{{"accept-encoding", "br"}, {"accept-encoding", "gzip"}}, true},
      {{{"accept-encoding", "identity, gzip;q=0.5"}}, false},
      {{{"accept-encoding", "identity;q=0.5, gzip"}}, true},
      {{{"accept-encoding", "gzipped"}}, false},
      {{{"accept-encoding", "gzip;q=2"}}, false},
      {{{"accept-encoding", "gzip;q=1.001"}}, false},
      {{{"accept-encoding", "gzip;q=0.0001"}}, false},
      {{{"accept-encoding", "gzip;q=.5"}}, false},
      {{{"accept-encoding", "gzip;level=1"}}, false},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    GZip::State state;
    exchange.headers = c.headers;
    exchange.response_headers = {{"Content-Type", "application/json"}};
    (void)exchange.respond(GZip(), kText, true, state);
    const std::string told = c.headers.empty() ? "none" : c.headers[0].second;
    EXPECT_EQ(exchange.header("content-encoding") == "gzip", c.accepts) << told;
    EXPECT_EQ(exchange.header("vary"), "Accept-Encoding") << told;
  }
}

TEST_F(GZipTest, ChoosesByTheMediaType) {
  const struct {
    const char* type;
    bool is_compressed;
  } kCases[] = {
      {"text/html", true},
      {"TEXT/CSV;charset=x", true},
      {"application/json", true},
      {"application/problem+json", true},
      {"image/svg+xml; a=b", true},
      {"image/png", false},
      {"application/octet-stream", false},
      {"text/event-stream", false},
      {"json", false},
      {"", false},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    GZip::State state;
    exchange.headers = {{"accept-encoding", "gzip"}};
    exchange.response_headers = {{"Content-Type", c.type}};
    (void)exchange.respond(GZip(), kText, true, state);
    EXPECT_EQ(exchange.header("content-encoding") == "gzip", c.is_compressed) << c.type;
    EXPECT_EQ(exchange.header("vary") == "Accept-Encoding", c.is_compressed) << c.type;
  }
}

TEST_F(GZipTest, CompressesEventsWhenAskedTo) {
  exchange_.response_headers = {{"Content-Type", "text/event-stream"}};
  (void)respond(GZip({.media_types = {"*/*"}}));
  EXPECT_FALSE(is_compressed());
  (void)respond(GZip({.media_types = {"text/event-stream"}}));
  EXPECT_TRUE(is_compressed());
}

TEST_F(GZipTest, LeavesAloneWhatMustStayAsItIs) {
  const struct {
    std::uint32_t status;
    std::pair<std::string, std::string> header;
  } kCases[] = {
      {204, {"x", ""}},
      {205, {"x", ""}},
      {206, {"content-range", "bytes 0-999/2000"}},
      {206, {"x", ""}},
      {416, {"content-range", "bytes */2000"}},
      {200, {"content-encoding", "br"}},
      {200, {"cache-control", "public, No-Transform"}},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    GZip::State state;
    exchange.headers = {{"accept-encoding", "gzip"}};
    exchange.response_headers = {{"Content-Type", "text/plain"}, c.header};
    const Fields before = exchange.response_headers;
    exchange.status = c.status;
    EXPECT_EQ(exchange.respond(GZip(), kText, true, state), kText);
    EXPECT_EQ(exchange.response_headers, before) << c.status << " " << c.header.first;
  }
}

TEST_F(GZipTest, WeakensStrongETagsAndTakesRangesAway) {
  exchange_.response_headers.insert(exchange_.response_headers.end(),
                                    {{"ETag", "\"abc\""}, {"Accept-Ranges", "bytes"}});
  (void)respond(GZip());
  EXPECT_EQ(exchange_.header("etag"), "W/\"abc\"");
  EXPECT_EQ(exchange_.header("accept-ranges"), "");

  FakeExchange weak;
  GZip::State state;
  weak.headers = {{"accept-encoding", "gzip"}};
  weak.response_headers = {{"content-type", "text/plain"}, {"etag", "W/\"abc\""}};
  (void)weak.respond(GZip(), kText, true, state);
  EXPECT_EQ(weak.header("etag"), "W/\"abc\"");
}

TEST_F(GZipTest, TellsA304LikeTheAnswerThatItStandsFor) {
  exchange_.status = 304;
  exchange_.response_headers = {{"ETag", "\"abc\""}};
  EXPECT_EQ(respond(GZip(), ""), "");
  EXPECT_EQ(exchange_.header("etag"), "W/\"abc\"");
  EXPECT_TRUE(varies());
  EXPECT_FALSE(is_compressed());
}

TEST_F(GZipTest, TellsNoLengthToHeadThatGetWouldNotHave) {
  exchange_.method = "HEAD";
  exchange_.response_headers.emplace_back("Content-Length", "1000");
  EXPECT_EQ(respond(GZip(), ""), "");
  EXPECT_EQ(exchange_.header("content-length"), "");
  EXPECT_FALSE(is_compressed());
  EXPECT_TRUE(varies());

  exchange_.response_headers = {{"content-type", "text/plain"}, {"content-length", "10"}};
  (void)respond(GZip(), "");
  EXPECT_EQ(exchange_.header("content-length"), "10") << "too short to be compressed";
}

TEST_F(GZipTest, CompressesTheBodyOfHeadWhereThereIsOne) {
  exchange_.method = "HEAD";
  Inflater inflate;
  EXPECT_EQ(inflate(respond(GZip())), kText) << "for its length";
}

TEST(GZip, RefusesOptionsThatCannotBe) {
  EXPECT_THROW(GZip({.compresslevel = 0}), Error);
  EXPECT_THROW(GZip({.compresslevel = 10}), Error);
  EXPECT_THROW(GZip({.media_types = {"json"}}), Error);
}

}  // namespace
}  // namespace bento::middleware
