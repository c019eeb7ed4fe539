#include "http/parse/head.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bentohost::http {
namespace {

struct Outcome {
  std::uint32_t refused = 0;  // the HTTP status; 0: the head is fine
  Request request;
  Framing framing;
};

Outcome read(const std::string& bytes) {
  Outcome outcome;
  HeadScanner scanner;
  Status status = scanner.scan(bytes);
  if (status.ok() && scanner.size() > 0) {
    status = parse_head(std::string_view(bytes).substr(0, scanner.size()), outcome.request,
                        outcome.framing);
  } else if (status.ok()) {
    ADD_FAILURE() << "the head has no end";
  }
  if (!status.ok()) outcome.refused = status.http_status();
  return outcome;
}

// A request with the header lines `headers`, each with its CR LF.
Outcome read_with(const std::string& headers) {
  return read("POST / HTTP/1.1\r\nHost: x\r\n" + headers + "\r\n");
}

TEST(Head, KeepsTargetRawAndDecodesThePath) {
  const Outcome got = read("GET /a%20b+c?q=%31 HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(got.refused, 0u);
  EXPECT_EQ(got.request.method, "GET");
  EXPECT_EQ(got.request.target, "/a%20b+c?q=%31");
  EXPECT_EQ(got.request.path, "/a b+c");
  EXPECT_EQ(got.request.query, "q=%31");
  EXPECT_EQ(got.request.version, "HTTP/1.1");
}

TEST(Head, KeepsHeadersInOrderWithLowerCaseNamesAndRawValues) {
  const Outcome got = read_with("X-One: %0d%0a\r\nx-ONE:\t b c \r\nEmpty:\r\n");
  ASSERT_EQ(got.request.headers.size(), 4u);
  EXPECT_EQ(got.request.headers[1].name, "x-one");
  EXPECT_EQ(got.request.headers[1].value, "%0d%0a");
  EXPECT_EQ(got.request.headers[2].name, "x-one");
  EXPECT_EQ(got.request.headers[2].value, "b c");
  EXPECT_EQ(got.request.headers[3].value, "");
  EXPECT_EQ(find_header(got.request.headers, "x-one"), "%0d%0a");
  EXPECT_EQ(find_header(got.request.headers, "x-two"), "");
}

TEST(Head, ForgetsThePreviousRequestOfTheConnection) {
  Outcome got = read_with("A: 1\r\nContent-Length: 5\r\n");
  const std::string next = "GET /n HTTP/1.0\r\n\r\n";
  ASSERT_TRUE(parse_head(next, got.request, got.framing).ok());
  EXPECT_TRUE(got.request.headers.empty());
  EXPECT_EQ(got.framing.content_length, 0u);
  EXPECT_FALSE(got.framing.keep_alive);
}

TEST(Head, FindsItsEndWhateverThePieces) {
  const std::string bytes = "\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\nrest";
  HeadScanner scanner;
  for (std::size_t n = 0; n < bytes.size() - 4; ++n) {
    ASSERT_TRUE(scanner.scan(std::string_view(bytes).substr(0, n)).ok());
    ASSERT_EQ(scanner.size(), 0u) << n;
  }
  ASSERT_TRUE(scanner.scan(bytes).ok());
  EXPECT_EQ(scanner.size(), bytes.size() - 4);
}

TEST(Head, RefusesMalformedRequestLines) {
  for (const char* line :
       {"GET /", "GET", "GET  / HTTP/1.1", " GET / HTTP/1.1", "GET / HTTP/1.1 ", "G\tT / HTTP/1.1",
        "GET /\x01 HTTP/1.1", "GET /a#b HTTP/1.1", "GET / http/1.1", "GET / HTTP/1.10",
        "GET x HTTP/1.1", "GET * HTTP/1.1", "GET ftp://x/ HTTP/1.1", "GET /%zz HTTP/1.1",
        "GET /%00 HTTP/1.1", "GET /a/../../b HTTP/1.1", "GET /\xc3\xa9 HTTP/1.1",
        "CONNECT x HTTP/1.1"}) {
    EXPECT_EQ(read(std::string(line) + "\r\nHost: x\r\n\r\n").refused, 400u) << line;
  }
  EXPECT_EQ(read("GET / HTTP/2.0\r\nHost: x\r\n\r\n").refused, 505u);
  EXPECT_EQ(read("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n").refused, 501u);
  EXPECT_EQ(read("OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n").refused, 0u);
}

TEST(Head, NormalisesThePathAndKeepsTheTarget) {
  const Outcome got = read("GET /a/%2e%2e/b?/../ HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(got.refused, 0u);
  EXPECT_EQ(got.request.target, "/a/%2e%2e/b?/../");
  EXPECT_EQ(got.request.path, "/b");
  EXPECT_EQ(got.request.query, "/../");
}

// RFC 9112 3.2.2.
TEST(Head, PutsTheAuthorityOfAnAbsoluteTargetInTheHostHeadersPlace) {
  const Outcome got = read("GET http://real:81/p HTTP/1.1\r\nA: 1\r\nHost: other\r\nB: 2\r\n\r\n");
  EXPECT_EQ(got.refused, 0u);
  EXPECT_EQ(got.request.target, "http://real:81/p");
  EXPECT_EQ(got.request.path, "/p");
  ASSERT_EQ(got.request.headers.size(), 3u);
  EXPECT_EQ(got.request.headers[1].name, "host");
  EXPECT_EQ(got.request.headers[1].value, "real:81");
}

TEST(Head, GivesAnAbsoluteTargetOfHttp10AHostHeader) {
  const Outcome got = read("GET http://real/ HTTP/1.0\r\nA: 1\r\n\r\n");
  EXPECT_EQ(got.refused, 0u);
  ASSERT_EQ(got.request.headers.size(), 2u);
  EXPECT_EQ(find_header(got.request.headers, "host"), "real");
}

TEST(Head, WantsAValidHostHeaderBesideAnAbsoluteTarget) {
  EXPECT_EQ(read("GET http://real/ HTTP/1.1\r\n\r\n").refused, 400u);
  EXPECT_EQ(read("GET http://real/ HTTP/1.1\r\nHost: a b\r\n\r\n").refused, 400u);
}

TEST(Head, RefusesMalformedHeaderLines) {
  for (const char* line : {"A : 1", " A: 1", "A B: 1", ": 1", "A", "A: 1\r\n folded",
                           "A: 1\r\n\tfolded", "A: \x01", "A: a\rb", "A: \x7f", "A\xc3: 1"}) {
    EXPECT_EQ(read_with(std::string(line) + "\r\n").refused, 400u) << line;
  }
  EXPECT_EQ(read_with(std::string("A: a\0b\r\n", 8)).refused, 400u);
}

TEST(Head, RefusesALineFeedWithoutItsCarriageReturn) {
  for (const char* bytes :
       {"GET / HTTP/1.1\nHost: x\n\n", "GET / HTTP/1.1\r\nHost: x\nA: 1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: x\r\n\n", "\n"}) {
    EXPECT_EQ(read(bytes).refused, 400u) << bytes;
  }
}

TEST(Head, SkipsOneEmptyLineInFrontAndNoMore) {
  EXPECT_EQ(read("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").refused, 0u);
  EXPECT_EQ(read("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n").refused, 400u);
}

TEST(Head, WantsOneValidHostOfHttp11) {
  EXPECT_EQ(read("GET / HTTP/1.1\r\n\r\n").refused, 400u);
  EXPECT_EQ(read("GET / HTTP/1.0\r\n\r\n").refused, 0u);
  EXPECT_EQ(read_with("Host: x\r\n").refused, 400u);
  for (const char* host : {"a b", "a/b", "u@h", "a\"b", "a:b", ":80", "[::1", "a:1:2"}) {
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n").refused, 400u);
  }
  for (const char* host : {"[::1]:3000", "a_b.example:80", "a:", ""}) {
    EXPECT_EQ(read("GET / HTTP/1.1\r\nHost: " + std::string(host) + "\r\n\r\n").refused, 0u);
  }
}

TEST(Head, TakesOneWayToFrameABody) {
  EXPECT_EQ(read_with("Content-Length: 12\r\n").framing.content_length, 12u);
  EXPECT_TRUE(read_with("Transfer-Encoding: Chunked\r\n").framing.chunked);
  for (const char* headers :
       {"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n",
        "Content-Length: 1\r\nContent-Length: 1\r\n", "Content-Length: 1, 1\r\n",
        "Content-Length: +1\r\n", "Content-Length: -1\r\n", "Content-Length: 0x1\r\n",
        "Content-Length: 1 1\r\n", "Content-Length:\r\n",
        "Content-Length: 99999999999999999999\r\n", "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, gzip\r\n",
        "Transfer-Encoding:\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"}) {
    EXPECT_EQ(read_with(headers).refused, 400u) << headers;
  }
  EXPECT_EQ(read_with("Transfer-Encoding: gzip, chunked\r\n").refused, 501u);
  EXPECT_EQ(read("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").refused, 400u);
}

TEST(Head, KeepsHttp11AliveAndHttp10OnlyWhenAsked) {
  EXPECT_TRUE(read_with("").framing.keep_alive);
  EXPECT_FALSE(read_with("Connection: x, Close\r\n").framing.keep_alive);
  EXPECT_FALSE(read("GET / HTTP/1.0\r\n\r\n").framing.keep_alive);
  EXPECT_TRUE(read("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n").framing.keep_alive);
}

TEST(Head, KnowsOneExpectation) {
  EXPECT_TRUE(read_with("Expect: 100-Continue\r\n").framing.expects_continue);
  EXPECT_EQ(read_with("Expect: a miracle\r\n").refused, 417u);
  EXPECT_FALSE(read("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n").framing.expects_continue);
}

TEST(Head, TakesAHundredHeadersAndNoMore) {
  std::string headers;
  for (std::size_t i = 1; i < HeadLimits().max_headers; ++i) headers += "A: 1\r\n";
  EXPECT_EQ(read_with(headers).refused, 0u);
  EXPECT_EQ(read_with(headers + "A: 1\r\n").refused, 431u);
}

TEST(Head, MeasuresTheRequestLineWithoutItsLineBreak) {
  const std::string longest(HeadLimits().max_request_line, 'a');
  HeadScanner fitting;
  EXPECT_TRUE(fitting.scan(longest + "\r\n").ok());
  HeadScanner too_long;
  EXPECT_EQ(too_long.scan(longest + "a\r\n").http_status(), 414u);
}

TEST(Head, BoundsItsSizeBeforeItsEndIsSeen) {
  HeadScanner long_line;
  const std::string target(HeadLimits().max_request_line, 'a');
  EXPECT_EQ(long_line.scan("GET /" + target).http_status(), 414u);
  HeadScanner long_head;
  const std::string head = "GET / HTTP/1.1\r\nA: " + std::string(HeadLimits().max_head, 'a');
  EXPECT_EQ(long_head.scan(head).http_status(), 431u);
  HeadScanner fitting;
  EXPECT_TRUE(fitting.scan(std::string_view(head).substr(0, HeadLimits().max_head - 1)).ok());
}

}  // namespace
}  // namespace bentohost::http
