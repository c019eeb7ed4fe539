// HttpResponseParser: responses in whatever pieces they come.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/detail/http_response_parser.hpp>
#include <string>
#include <string_view>

namespace {

using ::testing::HasSubstr;

struct Parsed {
  std::uint32_t status = 0;
  bento::Headers headers;
  std::optional<std::uint64_t> length;
  std::string body;
  bool is_complete = false;
};

// Feeds `size` bytes at a time.
Parsed parse(std::string_view bytes, std::size_t size, bool is_head = false, bool closes = true) {
  Parsed parsed;
  bento::detail::HttpResponseParser parser(
      is_head,
      [&](const bento::detail::HttpResponseParser::Head& head) {
        parsed.status = head.status;
        parsed.headers = head.headers;
        parsed.length = head.length;
      },
      [&](std::string_view piece) { parsed.body += piece; });
  for (; !bytes.empty(); bytes.remove_prefix(std::min(size, bytes.size()))) {
    parser.feed(bytes.substr(0, size));
  }
  if (closes) parser.close();
  parsed.is_complete = parser.is_complete();
  return parsed;
}

class Parser : public ::testing::TestWithParam<std::size_t> {
 protected:
  Parsed parse(std::string_view bytes, bool is_head = false) {
    return ::parse(bytes, GetParam(), is_head);
  }
};
INSTANTIATE_TEST_SUITE_P(PieceSizes, Parser, ::testing::Values(1, 2, 3, 7, 1000));

TEST_P(Parser, ReadsASizedBody) {
  const Parsed parsed = parse(
      "HTTP/1.1 201 Created\r\nX-A:  b \r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
  EXPECT_EQ(parsed.status, 201u);
  EXPECT_EQ(parsed.headers.get("x-a"), "b");
  EXPECT_EQ(parsed.headers.size(), 1u);
  EXPECT_EQ(parsed.length, 5u);
  EXPECT_EQ(parsed.body, "hello");
}

TEST_P(Parser, TakesAChunkedBodyOutOfItsFraming) {
  const Parsed parsed = parse(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\nA;x=y\r\n, my world\r\n0\r\nX-Trailer: 1\r\n\r\n");
  EXPECT_EQ(parsed.body, "hello, my world");
  EXPECT_FALSE(parsed.length.has_value());
  EXPECT_TRUE(parsed.headers.empty());
}

TEST_P(Parser, ReadsToTheEndWhereNoLengthIsSaid) {
  EXPECT_EQ(parse("HTTP/1.1 200 OK\r\n\r\nall of it").body, "all of it");
}

TEST_P(Parser, AResponseToHeadAndA204HaveNoBody) {
  const Parsed head = parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", true);
  EXPECT_TRUE(head.is_complete);
  EXPECT_EQ(head.length, 5u);
  EXPECT_TRUE(parse("HTTP/1.1 204 No Content\r\n\r\n").is_complete);
  EXPECT_TRUE(parse("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").is_complete);
}

TEST_P(Parser, DropsInterimResponses) {
  const Parsed parsed = parse(
      "HTTP/1.1 100 Continue\r\nX-A: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  EXPECT_EQ(parsed.status, 200u);
  EXPECT_TRUE(parsed.headers.empty());
  EXPECT_EQ(parsed.body, "ok");
}

TEST_P(Parser, RefusesWhatIsCutOff) {
  for (const char* bytes :
       {"", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"}) {
    EXPECT_THROW(parse(bytes), bento::Error) << bytes;
  }
}

TEST_P(Parser, RefusesWhatIsNoResponse) {
  for (const char* bytes :
       {"hello\r\n", "HTTP/1.1 999 No\r\n\r\n", "HTTP/1.1 200 OK\r\nno colon\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 5x\r\n", "HTTP/1.1 200 OK\r\nContent-Length:\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab"}) {
    EXPECT_THROW(parse(bytes), bento::Error) << bytes;
  }
}

}  // namespace
