// Bodies and responses that come in pieces, and clients that leave in the middle.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <future>
#include <string>
#include <thread>

#include "base/loop/thread_pool.h"
#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

// Runs handlers on threads, as the service room does.
class StreamServer {
 public:
  explicit StreamServer(Handler handler, Limits limits = {})
      : server_(
            [this, handler](Exchange& exchange) {
              threads_.run([handler, &exchange] { handler(exchange); });
            },
            limits, {.max_body = 0, .streamed = true}) {}
  ~StreamServer() {
    server_->stop(TimePoint::min());
    threads_.stop(in_ten_seconds());
  }
  TestServer& operator*() { return server_; }
  std::uint16_t port() const { return server_.port(); }

 private:
  ThreadPool threads_{8, 8};
  TestServer server_;
};

// Reads the whole body, and answers with the result.
std::string body_of(Exchange& exchange) {
  std::string body;
  while (true) {
    Result<ReceivedBody> piece = exchange.receive();
    if (!piece.ok()) return std::to_string(piece.status().http_status());
    body += piece->bytes;
    if (!piece->more) return body;
  }
}

void answer_with_body(Exchange& exchange) {
  exchange.respond(Response::text(200, body_of(exchange)));
}

// The payload of a chunked body.
std::string unchunk(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t line = text.find("\r\n");
    const std::size_t size = std::stoul(std::string(text.substr(0, line)), nullptr, 16);
    if (size == 0) return out;
    out += text.substr(line + 2, size);
    text.remove_prefix(line + 2 + size + 2);
  }
  return out + " (aborted)";
}

// RFC 9110 6.4.1: whatever is written, the next response begins after the head.
TEST(ServerStream, SendsNoBodyWithAStatusThatHasNone) {
  std::atomic<int> bare = 0;
  StreamServer server([&](Exchange& exchange) {
    Response response;
    response.status = exchange.request().path == "/last" ? 200 : bare.load();
    EXPECT_TRUE(exchange.start(std::move(response)).ok());
    EXPECT_TRUE(exchange.write("bytes", true).ok());
    EXPECT_TRUE(exchange.write({}, false).ok());
  });
  for (const int status : {204, 205, 304}) {
    bare = status;
    RawClient client(server.port());
    client.send(std::string(kGet) + "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    const std::string all = client.read_to_end();
    const std::size_t end = all.find("\r\n\r\n");
    EXPECT_THAT(all, HasSubstr("HTTP/1.1 " + std::to_string(status)));
    EXPECT_THAT(all.substr(0, end), Not(HasSubstr("Transfer-Encoding")));
    EXPECT_THAT(all.substr(end + 4), testing::StartsWith("HTTP/1.1 200 "));
  }
}

// RFC 9110 15.3.6.
TEST(ServerStream, SendsNoBodyWithAWholeResetContent) {
  StreamServer server([](Exchange& exchange) { exchange.respond(Response::text(205, "body")); });
  RawClient client(server.port());
  client.send("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string all = client.read_to_end();
  EXPECT_THAT(all, HasSubstr("Content-Length: 0\r\n"));
  EXPECT_TRUE(all.ends_with("\r\n\r\n")) << all;
}

TEST(ServerStream, GivesASmallBodyInOnePiece) {
  StreamServer server([](Exchange& exchange) {
    const Result<ReceivedBody> piece = exchange.receive();
    ASSERT_TRUE(piece.ok());
    EXPECT_FALSE(piece->more);
    exchange.respond(Response::text(200, piece->bytes));
  });
  RawClient client(server.port());
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello").body,
              "hello");
  }
}

TEST(ServerStream, GivesABodyAsItComes) {
  std::atomic<bool> has_first = false;
  StreamServer server([&](Exchange& exchange) {
    Result<ReceivedBody> first = exchange.receive();
    ASSERT_TRUE(first.ok());
    has_first = true;
    exchange.respond(Response::text(200, first->bytes + body_of(exchange)));
  });
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  while (!has_first) std::this_thread::yield();
  EXPECT_EQ(client.ask("2\r\nde\r\n0\r\n\r\n").body, "abcde");
}

TEST(ServerStream, KeepsASenderWaitingForASlowHandler) {
  constexpr std::size_t kSize = 64u << 20;
  std::atomic<std::size_t> largest = 0;
  StreamServer server([&](Exchange& exchange) {
    std::size_t total = 0;
    while (true) {
      Result<ReceivedBody> piece = exchange.receive();
      ASSERT_TRUE(piece.ok());
      total += piece->bytes.size();
      largest = std::max(largest.load(), piece->bytes.size());
      if (!piece->more) break;
    }
    exchange.respond(Response::text(200, std::to_string(total)));
  });
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(kSize) +
              "\r\n\r\n");
  const std::string megabyte(1u << 20, 'x');
  for (std::size_t sent = 0; sent < kSize; sent += megabyte.size()) client.send(megabyte);
  EXPECT_EQ(client.reply().body, std::to_string(kSize));
  EXPECT_LT(largest, 1u << 20);
}

TEST(ServerStream, TellsTheHandlerWhyABodyWillNotEnd) {
  Limits limits;
  limits.max_body = 10;
  StreamServer server(answer_with_body, limits);
  RawClient too_much(server.port());
  EXPECT_EQ(too_much
                .ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "6\r\nabcdef\r\n6\r\nabcdef\r\n")
                .body,
            "413");
  EXPECT_TRUE(too_much.at_end());
  RawClient malformed(server.port());
  EXPECT_EQ(malformed
                .ask("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\nx\r\n")
                .body,
            "400");
}

TEST(ServerStream, TellsTheHandlerThatABodyIsTooLate) {
  Limits limits;
  limits.body_timeout = milliseconds(50);
  StreamServer server(answer_with_body, limits);
  RawClient client(server.port());
  EXPECT_EQ(client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab").body, "408");
  EXPECT_TRUE(client.at_end());
}

TEST(ServerStream, ClosesWhenTheHandlerDidNotReadTheBody) {
  StreamServer server([](Exchange& exchange) { exchange.respond(Response::text(403, "no")); });
  RawClient client(server.port());
  client.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nx");
  const Reply reply = client.reply();
  EXPECT_EQ(reply.status, 403);
  EXPECT_TRUE(reply.has("Connection: close"));
  client.send(std::string(999'999, 'x'));
  client.end_sending();
  EXPECT_TRUE(client.at_end());
}

TEST(ServerStream, SendsAResponseAsItIsMade) {
  std::atomic<bool> go_on = false;
  StreamServer server([&](Exchange& exchange) {
    EXPECT_TRUE(exchange.start(Response::text(200, "one")).ok());
    while (!go_on) std::this_thread::yield();
    EXPECT_TRUE(exchange.write("two", true).ok());
    EXPECT_TRUE(exchange.write("three", false).ok());
  });
  RawClient client(server.port());
  client.send(kGet);
  EXPECT_THAT(client.read_until("one"), HasSubstr("Transfer-Encoding: chunked"));
  go_on = true;
  EXPECT_THAT(client.read_until("0\r\n\r\n"), HasSubstr("two"));
  go_on = true;
  client.send(kGet);  // the connection is kept
  EXPECT_THAT(client.read_until("0\r\n\r\n"), HasSubstr("HTTP/1.1 200"));
}

bool is_asleep(pid_t thread) {
  std::ifstream stat("/proc/self/task/" + std::to_string(thread) + "/stat");
  std::string text;
  std::getline(stat, text);
  const std::size_t name_end = text.rfind(')');
  return name_end != std::string::npos && text.compare(name_end, 4, ") S ") == 0 && thread != 0;
}

TEST(ServerStream, KeepsAHandlerWaitingForASlowClient) {
  constexpr int kPieces = 512;
  std::atomic<int> written = 0;
  std::atomic<pid_t> handler = 0;
  StreamServer server([&](Exchange& exchange) {
    handler = gettid();
    EXPECT_TRUE(exchange.start(Response::text(200, "")).ok());
    const std::string piece(64u << 10, 'x');
    for (int i = 0; i < kPieces; ++i, ++written) {
      EXPECT_TRUE(exchange.write(piece, true).ok());
    }
    EXPECT_TRUE(exchange.write({}, false).ok());
  });
  RawClient client(server.port());
  client.send(kGet);
  // The handler has stopped when its count no longer changes over many checks.
  int before = -1;
  for (int looks = 0; looks < 100; ++looks) {
    const int now = written;
    if (now != before || !is_asleep(handler)) looks = 0;
    before = now;
    std::this_thread::yield();
  }
  EXPECT_LT(written, kPieces);
  const std::string all = client.read_until("\r\n0\r\n\r\n");
  EXPECT_EQ(unchunk(std::string_view(all).substr(all.find("\r\n\r\n") + 4)).size(),
            kPieces * (64u << 10));
}

TEST(ServerStream, KeepsTheLengthThatAHandlerGives) {
  StreamServer server([&](Exchange& exchange) {
    Response response = Response::text(200, "ab");
    response.headers.push_back({"Content-Length", "4"});
    EXPECT_TRUE(exchange.start(std::move(response)).ok());
    EXPECT_FALSE(exchange.write("too long", true).ok());
    EXPECT_TRUE(exchange.write("cd", false).ok());
  });
  RawClient client(server.port());
  for (int i = 0; i < 2; ++i) {
    const Reply reply = client.ask(kGet);
    EXPECT_TRUE(reply.has("Content-Length: 4"));
    EXPECT_EQ(reply.body, "abcd");
  }
}

TEST(ServerStream, EndsAnHttp10ResponseWithTheConnection) {
  StreamServer server([&](Exchange& exchange) {
    EXPECT_TRUE(exchange.start(Response::text(200, "ab")).ok());
    EXPECT_TRUE(exchange.write("cd", false).ok());
  });
  RawClient client(server.port());
  client.send("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  const std::string all = client.read_until("abcd");
  EXPECT_THAT(all, HasSubstr("Connection: close"));
  EXPECT_THAT(all, Not(HasSubstr("chunked")));
  EXPECT_TRUE(client.at_end());
}

TEST(ServerStream, ShowsThatAResponseIsNotWhole) {
  StreamServer server([&](Exchange& exchange) {
    EXPECT_TRUE(exchange.start(Response::text(200, "ab")).ok());
    exchange.abort();
  });
  RawClient client(server.port());
  client.send(kGet);
  EXPECT_THAT(client.read_to_end(), Not(HasSubstr("0\r\n\r\n")));
}

TEST(ServerStream, AnswersHeadWithoutABody) {
  StreamServer server([&](Exchange& exchange) {
    EXPECT_TRUE(exchange.start(Response::text(200, "ab")).ok());
    (void)exchange.write("cd", false);  // the client has its response, and may be gone
  });
  RawClient client(server.port());
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply(/*of_head=*/true).status, 200);
  client.send("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(client.reply(/*of_head=*/true).status, 200);
}

TEST(ServerStream, NoticesAClientThatLeavesWhileItsHandlerWaits) {
  std::atomic<bool> arrived = false, noticed = false;
  StreamServer server([&](Exchange& exchange) {
    const auto cancelled = exchange.cancelled();
    arrived = true;
    while (!*cancelled) std::this_thread::yield();
    noticed = true;
    exchange.respond(Response::text(200, "for nobody"));
  });
  auto client = std::make_unique<RawClient>(server.port());
  client->send(kGet);
  while (!arrived) std::this_thread::yield();
  client->reset();
  const TimePoint left = SteadyClock().now();
  while (!noticed) std::this_thread::yield();
  EXPECT_LT(SteadyClock().now() - left, std::chrono::seconds(10));
}

// Returns when all loops have seen the bytes that were sent before.
void let_loops_turn(const StreamServer& server) {
  for (int i = 0; i < 4; ++i) {
    RawClient other(server.port());
    other.send("GET / HTTP/1.1\r\n\r\n");  // no Host: refused without a handler
    EXPECT_THAT(other.read_to_end(), HasSubstr("HTTP/1.1 400"));
  }
}

TEST(ServerStream, SendsAllToAClientThatEndedItsSide) {
  for (const bool has_length : {false, true}) {
    std::promise<void> has_ended;
    std::atomic<bool> is_cancelled = true;
    StreamServer server([&](Exchange& exchange) {
      Response response = Response::text(200, "one");
      if (has_length) response.headers.push_back({"Content-Length", "6"});
      EXPECT_TRUE(exchange.start(std::move(response)).ok());
      has_ended.get_future().wait();
      is_cancelled = exchange.cancelled()->load();
      EXPECT_TRUE(exchange.write("two", true).ok());
      EXPECT_TRUE(exchange.write({}, false).ok());
    });
    RawClient client(server.port());
    client.send(kGet);
    EXPECT_THAT(client.read_until("one"), HasSubstr("HTTP/1.1 200"));
    client.end_sending();
    let_loops_turn(server);
    has_ended.set_value();
    EXPECT_THAT(client.read_to_end(), testing::EndsWith(has_length ? "two" : "two\r\n0\r\n\r\n"));
    EXPECT_FALSE(is_cancelled);
  }
}

TEST(ServerStream, AnswersWhatWasAskedBeforeTheClientEndedItsSide) {
  std::promise<void> has_ended;
  std::atomic<int> asked = 0, noticed = 0;
  StreamServer server([&](Exchange& exchange) {
    if (++asked == 1) {
      has_ended.get_future().wait();
      noticed += exchange.cancelled()->load() ? 1 : 0;
      return exchange.respond(Response::text(200, "one"));
    }
    noticed += exchange.cancelled()->load() ? 1 : 0;
    EXPECT_TRUE(exchange.start(Response::text(200, "two")).ok());
    EXPECT_TRUE(exchange.write({}, false).ok());
  });
  RawClient client(server.port());
  client.send(std::string(kGet) + std::string(kGet));
  while (asked == 0) std::this_thread::yield();
  client.end_sending();
  let_loops_turn(server);
  has_ended.set_value();
  EXPECT_EQ(client.reply().body, "one");
  EXPECT_THAT(client.read_to_end(), HasSubstr("two\r\n0\r\n\r\n"));
  EXPECT_EQ(noticed, 0);
}

TEST(ServerStream, TakesAClientThatEndedItsSideForGoneWhereItIsToldTo) {
  Limits limits;
  limits.half_close = HalfClose::kDrop;
  StreamServer server(
      [&](Exchange& exchange) {
        while (!*exchange.cancelled()) std::this_thread::yield();
        exchange.respond(Response::text(499, "for nobody"));
      },
      limits);
  RawClient client(server.port());
  client.send(kGet);
  let_loops_turn(server);
  client.end_sending();
  EXPECT_EQ(client.read_to_end(), "");
}

TEST(ServerStream, NoticesAClientThatLeavesWhileItIsWrittenTo) {
  std::atomic<bool> cancelled = false;
  StreamServer server([&](Exchange& exchange) {
    Status status = exchange.start(Response::text(200, "x"));
    while (status.ok()) status = exchange.write(std::string(64u << 10, 'x'), true);
    cancelled = status.code() == BENTO_CANCELLED;
    (void)exchange.write({}, false);
  });
  auto client = std::make_unique<RawClient>(server.port());
  client->send(kGet);
  EXPECT_EQ(client->read_until("x").empty(), false);
  client.reset();
  while (!cancelled) std::this_thread::yield();
}

}  // namespace
}  // namespace bentohost::http
