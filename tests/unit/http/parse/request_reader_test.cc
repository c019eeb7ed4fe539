#include "http/parse/request_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "unit/http/compress.h"

namespace bentohost::http {
namespace {

using State = RequestReader::State;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::size_t kMax = 100;
const std::string kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

std::string post(const std::string& headers, const std::string& body) {
  return "POST /b HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n" + body;
}
std::string sized(const std::string& body, const std::string& headers = {}) {
  return post(headers + "Content-Length: " + std::to_string(body.size()) + "\r\n", body);
}
// `body` in chunks of at most `size` bytes.
std::string chunked(const std::string& body, std::size_t size, const std::string& headers = {}) {
  std::string chunks;
  for (std::size_t at = 0; at < body.size(); at += size) {
    const std::string piece = body.substr(at, size);
    char digits[20];
    std::snprintf(digits, sizeof digits, "%zx\r\n", piece.size());
    chunks += digits + piece + "\r\n";
  }
  return post(headers + "Transfer-Encoding: chunked\r\n", chunks + "0\r\n\r\n");
}

// Holds a reader's bytes as a connection does.
class Wire {
 public:
  explicit Wire(std::size_t max_body = kMax, HeadLimits limits = {})
      : max_body_(max_body), limits_(limits) {}

  // Each request is recorded as "POST /b body"; reading stops with the first refusal.
  void arrive(std::string_view bytes) {
    unread_ += bytes;
    while (refused == 0) {
      Result<std::size_t> taken = reader.feed(unread_, request);
      if (!taken.ok()) {
        refused = taken.status().http_status();
        return;
      }
      ASSERT_LE(*taken, unread_.size());
      unread_.erase(0, *taken);
      if (reader.state() == State::kHeadDone) {
        const Status status = reader.begin_body(max_body_, request, body);
        if (!status.ok()) refused = status.http_status();
      } else if (reader.state() == State::kDone) {
        requests.push_back(request.method + " " + request.path + " " + body);
        body.clear();
        reader.begin_request();
      } else if (reader.state() == State::kInflating) {
        if (takes_backlogs) inflate_elsewhere();
      } else {
        return;
      }
    }
  }

  bool takes_backlogs = false;
  int backlogs = 0;

 private:
  void inflate_elsewhere() {
    ++backlogs;
    auto backlog = reader.take_backlog();
    backlog->inflate([](std::size_t) { return Status(); });
    reader.restore(std::move(backlog));
  }

  const std::size_t max_body_;
  const HeadLimits limits_;
  std::string unread_;

 public:
  RequestReader reader{limits_};
  Request request;
  std::string body;
  std::vector<std::string> requests;
  std::uint32_t refused = 0;  // the HTTP status; 0: not
};

std::uint32_t refusal(std::string_view bytes, std::size_t max_body = kMax) {
  Wire wire(max_body);
  wire.arrive(bytes);
  return wire.refused;
}

TEST(RequestReader, GoesThroughItsStates) {
  const HeadLimits limits;
  RequestReader reader(limits);
  Request request;
  std::string body;
  EXPECT_EQ(reader.state(), State::kIdle);
  ASSERT_TRUE(reader.feed({}, request).ok());
  EXPECT_EQ(reader.state(), State::kIdle);

  const std::string bytes = sized("hello");
  const std::string_view head = std::string_view(bytes).substr(0, bytes.size() - 5);
  Result<std::size_t> taken = reader.feed(head.substr(0, 10), request);
  EXPECT_EQ(*taken, 0u);  // a head must come whole
  EXPECT_EQ(reader.state(), State::kHead);
  taken = reader.feed(bytes, request);
  EXPECT_EQ(*taken, head.size());
  EXPECT_EQ(reader.state(), State::kHeadDone);
  EXPECT_EQ(*reader.feed("hello", request), 0u);  // not before begin_body()

  ASSERT_TRUE(reader.begin_body(kMax, request, body).ok());
  EXPECT_EQ(reader.state(), State::kBody);
  EXPECT_EQ(*reader.feed("he", request), 2u);
  EXPECT_EQ(reader.body_bytes(), 2u);
  EXPECT_EQ(*reader.feed("lloGET", request), 3u);
  EXPECT_EQ(reader.state(), State::kDone);
  EXPECT_EQ(body, "hello");
  EXPECT_EQ(reader.body_bytes(), 5u);
  EXPECT_EQ(*reader.feed("GET", request), 0u);  // not before begin_request()

  reader.begin_request();
  EXPECT_EQ(reader.state(), State::kIdle);
  EXPECT_EQ(reader.body_bytes(), 0u);
}

TEST(RequestReader, IsDoneWithTheHeadWhereNoBodyIsAnnounced) {
  for (const std::string& bytes : {kGet, sized(""), post("", "")}) {
    const HeadLimits limits;
    RequestReader reader(limits);
    Request request;
    std::string body;
    ASSERT_EQ(*reader.feed(bytes, request), bytes.size());
    ASSERT_TRUE(reader.begin_body(kMax, request, body).ok());
    EXPECT_EQ(reader.state(), State::kDone) << bytes;
  }
}

TEST(RequestReader, ReadsTheSameWhateverThePieces) {
  const std::string text = "hello, you there";
  const std::string gzip = compress(text, kGzip);
  const std::string all = kGet + sized(text) + chunked(text, 5) + "\r\n" + kGet +
                          sized(gzip, "Content-Encoding: gzip\r\n") +
                          chunked(gzip, 7, "Content-Encoding: gzip\r\n") +
                          sized(compress(text, kZlib), "Content-Encoding: deflate\r\n") + kGet;
  const std::string told = "POST /b " + text;
  for (std::size_t piece = 1; piece <= all.size(); ++piece) {
    Wire wire;
    for (std::size_t at = 0; at < all.size(); at += piece) {
      wire.arrive(std::string_view(all).substr(at, piece));
    }
    ASSERT_EQ(wire.refused, 0u) << piece;
    ASSERT_THAT(wire.requests,
                ElementsAre("GET /a ", told, told, "GET /a ", told, told, told, "GET /a "))
        << piece;
  }
}

TEST(RequestReader, ReadsTheSameWhereverItIsCutInTwo) {
  const std::string all = chunked("ab", 1, "Content-Encoding: identity\r\n") + sized("c") + kGet;
  for (std::size_t cut = 0; cut <= all.size(); ++cut) {
    Wire wire;
    wire.arrive(std::string_view(all).substr(0, cut));
    wire.arrive(std::string_view(all).substr(cut));
    ASSERT_THAT(wire.requests, ElementsAre("POST /b ab", "POST /b c", "GET /a ")) << cut;
  }
}

TEST(RequestReader, TakesOneRequestOfSeveral) {
  const HeadLimits limits;
  RequestReader reader(limits);
  Request request;
  std::string body;
  ASSERT_EQ(*reader.feed(kGet + kGet, request), kGet.size());
  ASSERT_TRUE(reader.begin_body(kMax, request, body).ok());
  EXPECT_EQ(reader.state(), State::kDone);
  EXPECT_TRUE(body.empty());
}

TEST(RequestReader, CountsTheBodyAsItWasSent) {
  const std::string gzip = compress("hello", kGzip);
  Wire wire;
  const std::string bytes = chunked(gzip, 4, "Content-Encoding: gzip\r\n");
  wire.arrive(std::string_view(bytes).substr(0, bytes.size() - 1));
  const std::size_t head = bytes.find("\r\n\r\n") + 4;
  EXPECT_EQ(wire.reader.body_bytes(), bytes.size() - 1 - head);
}

TEST(RequestReader, AnInflatedBodyHasNoHeadersOfTheCodedOne) {
  Wire wire;
  wire.arrive(sized(compress("hello", kGzip), "A: 1\r\nContent-Encoding: gzip\r\nB: 2\r\n"));
  EXPECT_THAT(wire.requests, ElementsAre("POST /b hello"));
  EXPECT_FALSE(has_header(wire.request.headers, "content-encoding"));
  EXPECT_FALSE(has_header(wire.request.headers, "content-length"));
  EXPECT_EQ(find_header(wire.request.headers, "a"), "1");
  EXPECT_EQ(find_header(wire.request.headers, "b"), "2");
}

// A bomb of a few bytes is inflated in steps, or on a thread; the result is the same.
TEST(RequestReader, LeavesWhatIsLargeToAnotherThread) {
  constexpr std::size_t kLarge = 4 * RequestReader::kInflatedAtOnce;
  const std::string text = compressible_text(kLarge);
  const std::string bytes =
      chunked(compress(text, kGzip), 1000, "Content-Encoding: gzip\r\n") + kGet;
  for (const bool takes_backlogs : {false, true}) {
    Wire wire(kLarge);
    wire.takes_backlogs = takes_backlogs;
    wire.arrive(bytes);
    EXPECT_THAT(wire.requests, ElementsAre("POST /b " + text, "GET /a "));
    EXPECT_EQ(wire.backlogs > 0, takes_backlogs);
  }
}

TEST(RequestReader, MakesNoMoreAtOnceThanItSays) {
  const HeadLimits limits;
  RequestReader reader(limits);
  Request request;
  std::string body;
  const std::string bytes =
      sized(compress(compressible_text(4 * RequestReader::kInflatedAtOnce), kGzip),
            "Content-Encoding: gzip\r\n");
  const std::size_t head = *reader.feed(bytes, request);
  ASSERT_TRUE(reader.begin_body(1u << 20, request, body).ok());
  ASSERT_TRUE(reader.feed(std::string_view(bytes).substr(head), request).ok());
  EXPECT_EQ(reader.state(), State::kInflating);
  EXPECT_LE(body.size(), RequestReader::kInflatedAtOnce + Inflater::kStep);
}

TEST(RequestReader, RefusesWhatIsWrongOfABodyThatIsInflatedElsewhere) {
  const std::string gzip = compress(compressible_text(2 * RequestReader::kInflatedAtOnce), kGzip);
  const auto refusal = [](const std::string& bytes, std::size_t max_body) {
    Wire wire(max_body);
    wire.takes_backlogs = true;
    wire.arrive(bytes);
    return wire.refused;
  };
  const std::string header = "Content-Encoding: gzip\r\n";
  EXPECT_EQ(refusal(sized(gzip, header), RequestReader::kInflatedAtOnce + 1000), 413u);
  EXPECT_EQ(refusal(sized(gzip.substr(0, gzip.size() - 9), header), 1u << 20), 400u);
  EXPECT_EQ(refusal(sized(gzip + "x", header), 1u << 20), 400u);
}

TEST(RequestReader, LeavesTheHeadersOfABodyThatIsNotCoded) {
  Wire wire;
  wire.arrive(sized("hello", "Content-Encoding: identity\r\n"));
  EXPECT_EQ(find_header(wire.request.headers, "content-length"), "5");
}

TEST(RequestReader, AnEmptyBodyMayClaimACoding) {
  EXPECT_EQ(refusal(sized("", "Content-Encoding: gzip\r\n")), 0u);
  EXPECT_EQ(refusal(chunked("", 1, "Content-Encoding: gzip\r\n")), 0u);
}

TEST(RequestReader, TakesABodyOfTheLimitAndNoMore) {
  const std::string most(kMax, 'x'), more(kMax + 1, 'x');
  EXPECT_EQ(refusal(sized(most)), 0u);
  EXPECT_EQ(refusal(sized(more)), 413u);
  EXPECT_EQ(refusal(chunked(most, 30)), 0u);
  EXPECT_EQ(refusal(chunked(more, 30)), 413u);
  for (const int format : {kGzip, kZlib, kRaw}) {
    const std::string coding =
        std::string("Content-Encoding: ") + (format == kGzip ? "gzip" : "deflate") + "\r\n";
    EXPECT_EQ(refusal(sized(compress(most, format), coding)), 0u) << format;
    EXPECT_EQ(refusal(sized(compress(more, format), coding)), 413u) << format;
    EXPECT_EQ(refusal(chunked(compress(more, format), 3, coding)), 413u) << format;
  }
}

TEST(RequestReader, RefusesALengthBeforeItsBody) {
  Wire wire;
  wire.arrive(post("Content-Length: 101\r\n", ""));
  EXPECT_EQ(wire.refused, 413u);
  EXPECT_EQ(refusal(post("Content-Length: 18446744073709551615\r\n", "")), 413u);
}

TEST(RequestReader, NeverMakesABodyBeyondTheLimit) {
  const std::string much(50'000, 'x');
  for (const std::string& bytes :
       {chunked(much, 60), sized(compress(much, kGzip), "Content-Encoding: gzip\r\n"),
        chunked(compress(much, kGzip), 9, "Content-Encoding: gzip\r\n")}) {
    Wire wire;
    wire.arrive(bytes);
    EXPECT_EQ(wire.refused, 413u);
    EXPECT_LE(wire.body.size(), kMax);
    EXPECT_THAT(wire.requests, IsEmpty());
  }
}

TEST(RequestReader, RefusesCodingsThatItDoesNotKnow) {
  for (const char* coding : {"br", "zstd", "gzip, gzip", "deflate, gzip", "gzip;q=1", "compress"}) {
    EXPECT_EQ(refusal(sized("x", std::string("Content-Encoding: ") + coding + "\r\n")), 415u)
        << coding;
  }
  EXPECT_EQ(refusal(sized("x", "Content-Encoding: gzip\r\nContent-Encoding: gzip\r\n")), 415u);
}

TEST(RequestReader, RefusesABodyThatIsBroken) {
  const std::string gzip = compress("hello", kGzip);
  const std::string coding = "Content-Encoding: gzip\r\n";
  EXPECT_EQ(refusal(sized("hello", coding)), 400u);
  EXPECT_EQ(refusal(sized(gzip.substr(0, gzip.size() - 1), coding)), 400u);
  EXPECT_EQ(refusal(chunked(gzip.substr(0, gzip.size() - 1), 4, coding)), 400u);
  EXPECT_EQ(refusal(sized(gzip + "x", coding)), 400u);
  EXPECT_EQ(refusal(post("Transfer-Encoding: chunked\r\n", "x\r\n")), 400u);
}

TEST(RequestReader, RefusesABodyForItsFirstFaultWhateverThePieces) {
  const std::string bytes = post("Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n",
                                 "5\r\nhello\r\nffffffffff\r\n");
  EXPECT_EQ(refusal(bytes), 400u);
  Wire wire;
  for (const char byte : bytes) wire.arrive({&byte, 1});
  EXPECT_EQ(wire.refused, 400u);
}

TEST(RequestReader, BeginsEachRequestAnew) {
  Wire wire;
  // 60 bytes each: limits and codings apply to one body, not to the connection.
  const std::string text(60, 'x');
  for (int i = 0; i < 3; ++i) {
    wire.arrive(chunked(compress(text, kGzip), 10, "Content-Encoding: gzip\r\n"));
    wire.arrive(chunked(text, 60));
    wire.arrive(sized(text));
    wire.arrive(kGet);
  }
  EXPECT_EQ(wire.refused, 0u);
  EXPECT_EQ(wire.requests.size(), 12u);
  EXPECT_EQ(wire.requests.back(), "GET /a ");
}

TEST(RequestReader, JudgesTheEndByWhereItComes) {
  const auto at_end = [](std::string_view bytes) {
    Wire wire;
    wire.arrive(bytes);
    EXPECT_EQ(wire.refused, 0u);
    return wire.reader.at_end().http_status();
  };
  EXPECT_TRUE(Wire().reader.at_end().ok());
  for (const std::string& whole : {kGet, sized("abc"), chunked("abc", 2)}) {
    Wire wire;
    wire.arrive(whole);
    EXPECT_TRUE(wire.reader.at_end().ok());
    for (std::size_t size = 1; size < whole.size(); ++size) {
      EXPECT_EQ(at_end(std::string_view(whole).substr(0, size)), 400u) << size << whole;
    }
  }
}

TEST(RequestReader, KeepsToTheLimitsOfItsHead) {
  HeadLimits limits;
  limits.max_request_line = 50;
  limits.max_head = 100;
  limits.max_headers = 3;
  const auto refused = [&](std::string_view bytes) {
    Wire wire(kMax, limits);
    for (const char byte : bytes) wire.arrive({&byte, 1});
    return wire.refused;
  };
  const std::string line = "GET /" + std::string(36, 'a') + " HTTP/1.1";
  ASSERT_EQ(line.size(), 50u);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\n\r\n"), 0u);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nHost: x\r\nA: 1\r\nB: 2\r\nC: 3\r\n\r\n"), 431u);
  EXPECT_EQ(refused("GET /" + std::string(60, 'a')), 414u);
  EXPECT_EQ(refused("GET / HTTP/1.1\r\nA: " + std::string(100, 'a')), 431u);
}

TEST(RequestReader, ARefusedHeadForgetsThePreviousRequest) {
  for (const char* bytes : {"\n", "GET / HTTP/1.1\n", "nonsense\r\n\r\n"}) {
    Wire wire;
    wire.arrive(post("A: 1\r\n", ""));
    wire.arrive(bytes);
    EXPECT_EQ(wire.refused, 400u);
    EXPECT_EQ(wire.request.method, "") << bytes;
    EXPECT_EQ(wire.request.path, "") << bytes;
    EXPECT_THAT(wire.request.headers, IsEmpty()) << bytes;
  }
}

TEST(RequestReader, AnUnfinishedHeadForgetsThePreviousRequest) {
  Wire wire;
  wire.arrive(post("A: 1\r\n", ""));
  wire.arrive("GET ");
  EXPECT_EQ(wire.request.method, "");
  EXPECT_EQ(wire.request.path, "");
  EXPECT_THAT(wire.request.headers, IsEmpty());
}

}  // namespace
}  // namespace bentohost::http
