#include "http/response_writer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace bentohost::http {
namespace {

using testing::HasSubstr;
using testing::Not;

// The lines of the head without the date; checks that the date is there.
std::vector<std::string> lines_of(const Response& response, const ResponseHead& head = {}) {
  std::string text;
  append_head(response, head, text);
  EXPECT_TRUE(text.ends_with("\r\n\r\n")) << text;
  std::vector<std::string> lines;
  int dates = 0;
  for (std::size_t at = 0; at + 2 < text.size();) {
    const std::size_t end = text.find("\r\n", at);
    const std::string line = text.substr(at, end - at);
    at = end + 2;
    if (line.starts_with("Date: ")) {
      ++dates;
      EXPECT_TRUE(line.ends_with(" GMT")) << line;
    } else {
      lines.push_back(line);
    }
  }
  EXPECT_EQ(dates, 1);
  return lines;
}

using Lines = std::vector<std::string>;

TEST(ResponseWriter, WritesTheHeadOfASizedBody) {
  EXPECT_EQ(lines_of(Response::json(200, "[1]")),
            Lines({"HTTP/1.1 200 OK", "Content-Type: application/json", "Content-Length: 3",
                   "Server: bentohost"}));
}

TEST(ResponseWriter, AppendsToWhatIsThere) {
  std::string out = "before";
  append_head({}, {}, out);
  EXPECT_TRUE(out.starts_with("beforeHTTP/1.1 200 OK\r\n"));
}

TEST(ResponseWriter, DoesNotWriteTheBody) {
  std::string out;
  append_head(Response::text(200, "the body"), {}, out);
  EXPECT_THAT(out, Not(HasSubstr("the body")));
}

TEST(ResponseWriter, FramesABodyInEachWay) {
  Response response = Response::text(200, "four");
  response.headers = {{"Content-Length", "10"}};
  const std::string status = "HTTP/1.1 200 OK", server = "Server: bentohost";
  const std::string type = "Content-Type: text/plain; charset=utf-8";
  EXPECT_EQ(lines_of(response, {.framing = BodyFraming::kSized}),
            Lines({status, type, "Content-Length: 4", server}));
  EXPECT_EQ(lines_of(response, {.framing = BodyFraming::kGiven}),
            Lines({status, type, "Content-Length: 10", server}));
  EXPECT_EQ(lines_of(response, {.framing = BodyFraming::kChunked}),
            Lines({status, type, "Transfer-Encoding: chunked", server}));
  EXPECT_EQ(lines_of(response, {.framing = BodyFraming::kToClose}), Lines({status, type, server}));
}

TEST(ResponseWriter, SaysWhatBecomesOfTheConnection) {
  EXPECT_EQ(lines_of({}, {.close = true}).back(), "Connection: close");
  EXPECT_EQ(lines_of({}, {.keep_alive = true}).back(), "Connection: keep-alive");
}

TEST(ResponseWriter, GivesNoLengthWithA204Or304) {
  for (const int status : {204, 304}) {
    Response response;
    response.status = status;
    response.headers = {{"Content-Length", "5"}, {"ETag", "\"a\""}};
    for (const BodyFraming framing : {BodyFraming::kSized, BodyFraming::kGiven}) {
      const Lines lines = lines_of(response, {.framing = framing});
      EXPECT_EQ(lines.size(), 3u) << status;
      EXPECT_EQ(lines[1], "ETag: \"a\"");
    }
  }
  EXPECT_THAT(lines_of({}), testing::Contains("Content-Length: 0"));
}

TEST(ResponseWriter, KeepsTheHandlersHeadersInOrderAndItsOwnToItself) {
  Response response = Response::text(201, "");
  response.headers = {
      {"Set-Cookie", "a"},       {"CONTENT-LENGTH", "7"}, {"transfer-Encoding", "x"},
      {"Connection", "upgrade"}, {"date", "today"},       {"content-type", "a/b"},
      {"Set-Cookie", "b"},       {"X-Date", "1"},         {"Empty", ""}};
  EXPECT_EQ(lines_of(response),
            Lines({"HTTP/1.1 201 Created", "Set-Cookie: a", "Set-Cookie: b", "X-Date: 1",
                   "Empty: ", "Content-Type: text/plain; charset=utf-8", "Content-Length: 0",
                   "Server: bentohost"}));
}

TEST(ResponseWriter, WritesTheRequestIdBehindTheHandlersHeaders) {
  Response response = Response::json(200, "");
  response.headers = {{"X-A", "1"}};
  EXPECT_EQ(lines_of(response, {.request_id = "id-1"}),
            Lines({"HTTP/1.1 200 OK", "X-A: 1", "X-Request-Id: id-1",
                   "Content-Type: application/json", "Content-Length: 0", "Server: bentohost"}));
}

TEST(ResponseWriter, LetsTheHandlerNameTheServer) {
  for (const char* name : {"Server", "server", "SERVER"}) {
    Response response;
    response.headers = {{name, "mine"}};
    const Lines lines = lines_of(response);
    EXPECT_THAT(lines, testing::Contains(std::string(name) + ": mine"));
    EXPECT_THAT(lines, Not(testing::Contains("Server: bentohost")));
  }
}

TEST(ResponseWriter, ANumberWithoutAPhraseIsAnError) {
  EXPECT_EQ(lines_of(Response::text(299, "")).front(), "HTTP/1.1 299 Error");
}

TEST(ResponseWriter, DoesNotSendWhatWouldBeMisread) {
  const std::string nul(1, '\0');
  EXPECT_TRUE(check_sendable(Response::text(200, "\r\n\0")).ok());
  for (const int status : {-1, 0, 99, 100, 101, 199, 600, 1000}) {
    EXPECT_FALSE(check_sendable(Response::text(status, "")).ok()) << status;
  }
  for (const int status : {200, 204, 304, 404, 599}) {
    EXPECT_TRUE(check_sendable(Response::text(status, "")).ok()) << status;
  }
  for (const std::string& value : {std::string("a\r\nB: 1"), std::string("a\nb"),
                                   std::string("a\rb"), nul, "a" + nul, std::string("\x7f")}) {
    Response response;
    response.headers = {{"Good", "1"}, {"A", value}};
    EXPECT_FALSE(check_sendable(response).ok());
    response.headers.clear();
    response.content_type = value;
    EXPECT_FALSE(check_sendable(response).ok());
  }
  for (const std::string& name : {std::string(), std::string("A B"), std::string("A:"),
                                  std::string("A\r\nB"), std::string("\xc3\xa9"), nul}) {
    Response response;
    response.headers = {{name, "1"}};
    EXPECT_FALSE(check_sendable(response).ok());
  }
  Response response;
  response.headers = {{"X-Name", "\xc3\xa9, \t\"q\""}};
  EXPECT_TRUE(check_sendable(response).ok());
}

TEST(ResponseWriter, FindsTheLengthThatAHandlerGives) {
  const auto find = [](const Headers& headers) -> std::string {
    std::size_t length = 0;
    return find_content_length(headers, length) ? std::to_string(length) : "none";
  };
  EXPECT_EQ(find({}), "none");
  EXPECT_EQ(find({{"A", "1"}, {"content-LENGTH", "12"}}), "12");
  EXPECT_EQ(find({{"Content-Length", "0"}}), "0");
  for (const char* value : {"", "-1", "+1", " 1", "1 ", "1a", "0x1", "18446744073709551616"}) {
    EXPECT_EQ(find({{"Content-Length", value}}), "none") << value;
  }
}

TEST(ResponseWriter, WritesChunksInHexadecimal) {
  std::string out;
  append_chunk("hello", out);
  append_chunk({}, out);  // an empty chunk would end the body
  append_chunk(std::string(0x1a, 'x'), out);
  out += kLastChunk;
  EXPECT_EQ(out, "5\r\nhello\r\n1a\r\n" + std::string(0x1a, 'x') + "\r\n0\r\n\r\n");
}

TEST(ResponseWriter, NamesTheHeaderThatCannotBeSent) {
  EXPECT_THAT(check_header("X-Model", "iris\r\nSet-Cookie: a").message(),
              HasSubstr("header \"X-Model\": its value has a line break or control byte"));
  EXPECT_FALSE(check_header("X-Model", "a\x01").ok());
  EXPECT_FALSE(check_header("X-Model", "a\x7f").ok());
  EXPECT_THAT(check_header("X Model", "iris").message(), HasSubstr("header \"X Model\": its name"));
  EXPECT_TRUE(check_header("X-Model", "iris\tand \xc3\xa9").ok());
}

// RFC 9110 15.3.6.
TEST(ResponseWriter, WritesNoLengthButZeroForAResetContent) {
  Response response = Response::text(205, "four");
  response.headers = {{"Content-Length", "10"}};
  for (const BodyFraming framing : {BodyFraming::kSized, BodyFraming::kGiven}) {
    EXPECT_THAT(lines_of(response, {.framing = framing}), testing::Contains("Content-Length: 0"));
  }
}

}  // namespace
}  // namespace bentohost::http
