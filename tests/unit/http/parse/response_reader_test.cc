#include "http/parse/response_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace bentohost::http {
namespace {

using State = ResponseReader::State;

struct Outcome {
  bool ok = false;
  State state = State::kHead;
  http::Response response;
  std::string body;
  std::size_t taken = 0;
  bool keeps = false;
};

struct Asked {
  bool is_head = false, wants_upgrade = false;
};

// Feeds `bytes` in pieces of `size`, then the end of the connection if `ends`.
Outcome read(std::string_view bytes, std::size_t size, bool ends, Asked asked = {}) {
  ResponseReader reader;
  reader.begin(asked.is_head, asked.wants_upgrade);
  Outcome outcome;
  const auto fail = [&](const Status& status) {
    EXPECT_EQ(status.http_status(), 502u);
    EXPECT_NE(status.message(), "");
    outcome.ok = false;
    outcome.state = reader.state();
    return outcome;
  };
  std::size_t arrived = 0;
  while (arrived < bytes.size() &&
         (reader.state() == State::kHead || reader.state() == State::kBody)) {
    arrived = std::min(arrived + size, bytes.size());
    if (reader.state() == State::kHead) {
      const auto taken =
          reader.read_head(bytes.substr(outcome.taken, arrived - outcome.taken), outcome.response);
      if (!taken.ok()) return fail(taken.status());
      outcome.taken += *taken;
    }
    if (reader.state() == State::kBody) {
      const auto piece = reader.read_body(bytes.substr(outcome.taken, arrived - outcome.taken));
      if (!piece.ok()) return fail(piece.status());
      outcome.taken += piece->taken;
      outcome.body += piece->data;
    }
  }
  outcome.keeps = reader.keeps_connection();
  if (ends) {
    if (const Status status = reader.end(); !status.ok()) return fail(status);
  }
  outcome.ok = true;
  outcome.state = reader.state();
  return outcome;
}

// The same in one piece and byte by byte.
Outcome read_both(const std::string& bytes, bool ends = false, Asked asked = {}) {
  const Outcome whole = read(bytes, bytes.size(), ends, asked);
  const Outcome bit = read(bytes, 1, ends, asked);
  EXPECT_EQ(whole.ok, bit.ok);
  if (whole.ok && bit.ok) {
    EXPECT_EQ(whole.state, bit.state);
    EXPECT_EQ(whole.body, bit.body);
    EXPECT_EQ(whole.taken, bit.taken);
    EXPECT_EQ(whole.keeps, bit.keeps);
    EXPECT_EQ(whole.response.headers.size(), bit.response.headers.size());
  }
  return whole;
}

std::string head(std::string_view fields, std::string_view line = "HTTP/1.1 200 OK") {
  return std::string(line) + "\r\n" + std::string(fields) + "\r\n";
}

TEST(ResponseReader, FramesTheBody) {
  struct Row {
    std::string bytes, body;
    bool keeps, ends;
    Asked asked = {};
  };
  const std::vector<Row> rows = {
      {head("Content-Length: 3\r\n") + "abc", "abc", true, false},
      {head("content-length:3 \r\n") + "abc", "abc", true, false},
      {head("Content-Length: 3\r\nContent-Length: 3\r\n") + "abc", "abc", true, false},
      {head("Content-Length: 0\r\n"), "", true, false},
      {head("Transfer-Encoding: chunked\r\n") + "2\r\nab\r\n1;x=y\r\nc\r\n0\r\n\r\n", "abc", true,
       false},
      {head("Transfer-Encoding: Chunked\r\n") + "0\r\nX-T: 1\r\n\r\n", "", true, false},
      {head("Transfer-Encoding: chunked\r\nContent-Length: 9\r\n") + "1\r\na\r\n0\r\n\r\n", "a",
       false, false},
      {head("Content-Length: 9\r\nTransfer-Encoding: chunked\r\n") + "1\r\na\r\n0\r\n\r\n", "a",
       false, false},
      {head(""), "", false, true},
      {head("") + "to the end", "to the end", false, true},
      {head("Content-Length: 1\r\n", "HTTP/1.0 200 OK") + "a", "a", false, false},
      {head("Content-Length: 1\r\nConnection: Keep-Alive\r\n", "HTTP/1.0 200 OK") + "a", "a", true,
       false},
      {head("Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n", "HTTP/1.0 200 OK") +
           "0\r\n\r\n",
       "", false, false},
      {head("Content-Length: 1\r\nConnection: x, Close\r\n") + "a", "a", false, false},
      {head("Content-Length: 10\r\n", "HTTP/1.1 204 No Content"), "", true, false},
      {head("Content-Length: 10\r\n", "HTTP/1.1 304 Not Modified"), "", true, false},
      {head("Transfer-Encoding: chunked\r\n", "HTTP/1.1 304 Not Modified"), "", true, false},
      {head("Content-Length: 10\r\n"), "", true, false, {true, false}},
      {head("", "HTTP/1.1 100 Continue") + head("Content-Length: 1\r\n") + "a", "a", true, false},
      {head("Content-Length: 5\r\n", "HTTP/1.1 103 Hints") + head("Content-Length: 1\r\n") + "a",
       "a", true, false},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.bytes);
    const Outcome outcome = read_both(row.bytes, row.ends, row.asked);
    EXPECT_TRUE(outcome.ok);
    EXPECT_EQ(outcome.state, State::kDone);
    EXPECT_EQ(outcome.body, row.body);
    EXPECT_EQ(outcome.keeps, row.keeps);
    EXPECT_EQ(outcome.taken, row.bytes.size());
  }
}

TEST(ResponseReader, RefusesWhatIsMalformed) {
  using namespace std::string_literals;
  for (const std::string& bytes : {
           "hello\r\n"s,
           "\r\nHTTP/1.1 200 OK\r\n\r\n"s,
           "http/1.1 200 OK\r\n\r\n"s,
           "HTTP/2.0 200 OK\r\n\r\n"s,
           "HTTP/1.1  200 OK\r\n\r\n"s,
           "HTTP/1.1 20 OK\r\n\r\n"s,
           "HTTP/1.1 2000\r\n\r\n"s,
           "HTTP/1.1 099 X\r\n\r\n"s,
           "HTTP/1.1 600 X\r\n\r\n"s,
           "HTTP/1.1 200 \1\r\n\r\n"s,
           "HTTP/1.1 200 OK\n\r\n"s,
           "HTTP/1.1 200 OK\r\n\n"s,
           head("A: 1\n"),
           head("A\r\n"),
           head(": 1\r\n"),
           head("A : 1\r\n"),
           head("A B: 1\r\n"),
           head("A: 1\r\n folded\r\n"),
           head("\tA: 1\r\n"),
           head("A: \0\r\n"s),
           head("A: x\ry\r\n"),
           head("Content-Length: 1\r\nContent-Length: 2\r\n"),
           head("Content-Length: +1\r\n"),
           head("Content-Length: -1\r\n"),
           head("Content-Length: 0x1\r\n"),
           head("Content-Length: 1, 1\r\n"),
           head("Content-Length:\r\n"),
           head("Content-Length: 99999999999999999999\r\n"),
           head("Transfer-Encoding: gzip, chunked\r\n"),
           head("Transfer-Encoding: identity\r\n"),
           head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
           head("Transfer-Encoding: chunked\r\n") + "x\r\n",
           head("Transfer-Encoding: chunked\r\n") + "1\r\nab\r\n",
           head("Transfer-Encoding: chunked\r\n") + "1\na\r\n",
           head("Transfer-Encoding: chunked\r\n") + "fffffffffffffffff\r\n",
           head("", "HTTP/1.1 100 Continue") + "hello\r\n",
           head("Upgrade: websocket\r\n", "HTTP/1.1 101 Switching Protocols"),
       }) {
    SCOPED_TRACE(bytes);
    EXPECT_FALSE(read_both(bytes).ok);
  }
}

TEST(ResponseReader, AnEndComesTooEarlyEverywhere) {
  const std::string bytes = head("Content-Length: 3\r\n") + "abc";
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(read(bytes.substr(0, size), bytes.size(), true).ok) << size;
  }
  EXPECT_FALSE(read(head("Transfer-Encoding: chunked\r\n") + "3\r\nabc\r\n", 100, true).ok);
}

TEST(ResponseReader, LeavesWhatFollowsTheResponse) {
  const std::string first = head("Content-Length: 2\r\n") + "ok";
  EXPECT_EQ(read(first + "more", 1000, false).taken, first.size());
  const std::string chunked = head("Transfer-Encoding: chunked\r\n") + "0\r\n\r\n";
  EXPECT_EQ(read(chunked + "more", 1000, false).taken, chunked.size());
  const std::string bodiless = head("Content-Length: 4\r\n", "HTTP/1.1 304 X");
  EXPECT_EQ(read(bodiless + "more", 1000, false).taken, bodiless.size());
}

TEST(ResponseReader, DropsTheFieldsOfTheConnection) {
  const Outcome outcome = read_both(head(
      "X-Early: 1\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: h2c\r\nTE: trailers\r\n"
      "Trailer: X-T\r\nServer: s\r\nDate: d\r\nConnection: keep-alive, x-early, X-Late\r\n"
      "X-LATE: 1\r\nContent-Type: a/b\r\nContent-Type: c/d\r\nSet-Cookie: a\r\nset-cookie: b\r\n"
      "Content-Length: 0\r\n"));
  ASSERT_EQ(outcome.response.headers.size(), 2u);
  EXPECT_EQ(outcome.response.headers[0].name, "Set-Cookie");
  EXPECT_EQ(outcome.response.headers[1].name, "set-cookie");
  EXPECT_EQ(outcome.response.headers[1].value, "b");
  EXPECT_EQ(outcome.response.content_type, "a/b");
}

TEST(ResponseReader, LeavesAServersOwnFieldsToItsClient) {
  constexpr std::string_view kBytes =
      "HTTP/1.1 200 OK\r\nDate: now\r\nServer: x\r\nX-Request-Id: 1\r\nConnection: X-Hop\r\n"
      "X-Hop: 1\r\nContent-Length: 0\r\n\r\n";
  ResponseReader reader(ResponseReader::Peer::kServer);
  reader.begin(false, false);
  Response response;
  ASSERT_TRUE(reader.read_head(kBytes, response).ok());
  std::string names;
  for (const Header& header : response.headers) names += header.name + " ";
  EXPECT_EQ(names, "Date Server X-Request-Id Content-Length ");
}

TEST(ResponseReader, RefusesTwoLengthsOfAServer) {
  for (const std::string_view length : {"x", "1\r\nContent-Length: 2"}) {
    ResponseReader reader(ResponseReader::Peer::kServer);
    reader.begin(false, false);
    Response response;
    const auto read = reader.read_head(
        "HTTP/1.1 200 OK\r\nContent-Length: " + std::string(length) + "\r\n\r\n", response);
    ASSERT_FALSE(read.ok());
    EXPECT_TRUE(read.status().message().starts_with("the server's response is malformed: "));
  }
}

TEST(ResponseReader, AnInterimResponsesFieldsAreNotTheFinalOnes) {
  const Outcome outcome =
      read_both(head("X-Early: 1\r\nContent-Type: e\r\nConnection: close\r\n", "HTTP/1.1 103 X") +
                head("Content-Length: 0\r\n"));
  EXPECT_EQ(outcome.response.status, 200);
  EXPECT_EQ(outcome.response.headers.size(), 0u);
  EXPECT_EQ(outcome.response.content_type, "");
  EXPECT_TRUE(outcome.keeps);
}

TEST(ResponseReader, A101IsFinalForAWebSocketAlone) {
  const std::string bytes = head("Upgrade: WebSocket\r\nConnection: Upgrade\r\nX: 1\r\n",
                                 "HTTP/1.1 101 Switching Protocols") +
                            "frames";
  const Outcome outcome = read_both(bytes, false, {false, true});
  EXPECT_EQ(outcome.state, State::kTunnel);
  EXPECT_EQ(http::find_header(outcome.response.headers, "Upgrade"), "websocket");
  EXPECT_EQ(outcome.taken, bytes.size() - 6);
  EXPECT_FALSE(read_both(bytes).ok);
  EXPECT_FALSE(read_both(head("Upgrade: h2c\r\n", "HTTP/1.1 101 X"), false, {false, true}).ok);
}

TEST(ResponseReader, AHeadMayHave64KiB) {
  const std::size_t overhead = head("X: \r\n").size();
  const auto of_size = [&](std::size_t size) {
    return head("X: " + std::string(size - overhead, 'x') + "\r\n");
  };
  EXPECT_TRUE(read(of_size(ResponseReader::kMaxHead), 1000, false).ok);
  EXPECT_FALSE(read(of_size(ResponseReader::kMaxHead + 1), 1000, false).ok);
  const std::string endless = "HTTP/1.1 200 OK\r\n" + std::string(70'000, 'x');
  EXPECT_FALSE(read(endless, 1000, false).ok);
  std::string many = "HTTP/1.1 200 OK\r\n";
  while (many.size() < 70'000) many += "a: b\r\n";
  EXPECT_FALSE(read(many, 70'000, false).ok);
}

TEST(ResponseReader, OneReaderReadsOneResponseAfterTheOther) {
  ResponseReader reader;
  http::Response response;
  for (const std::string& bytes :
       {head("Transfer-Encoding: chunked\r\nConnection: close\r\n") + "0\r\n\r\n",
        head("Content-Length: 1\r\n") + "a"}) {
    reader.begin(false, false);
    const auto taken = reader.read_head(bytes, response);
    ASSERT_TRUE(taken.ok());
    ASSERT_TRUE(reader.read_body(std::string_view(bytes).substr(*taken)).ok());
    EXPECT_EQ(reader.state(), State::kDone);
  }
  EXPECT_TRUE(reader.keeps_connection());
  EXPECT_EQ(reader.content_length(), 1u);
}

}  // namespace
}  // namespace bentohost::http
