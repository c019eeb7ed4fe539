// Handlers that answer on the connection's loop, without a thread: Exchange::answer_on_loop().
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/loop/event_loop.h"
#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

BodyPlan streamed() {
  BodyPlan plan;
  plan.streamed = true;
  return plan;
}

// Sends the body back as it comes. Keeps itself until the response is complete.
class Echo final : public StreamEvents, public std::enable_shared_from_this<Echo> {
 public:
  Echo(Exchange& exchange, std::function<void()> on_end)
      : exchange_(exchange), on_end_(std::move(on_end)) {}

  void begin(Response head) {
    EventLoop* const loop = exchange_.answer_on_loop(shared_from_this());
    EXPECT_EQ(loop, EventLoop::current());
    EXPECT_TRUE(exchange_.start(std::move(head)).ok());
    go_on();
  }

 private:
  void on_body() override { go_on(); }
  void on_room() override { go_on(); }
  void on_cancelled() override {
    EXPECT_TRUE(exchange_.cancelled()->load());
    end(nullptr);
  }

  void go_on() {
    EXPECT_NE(EventLoop::current(), nullptr);
    while (exchange_.has_room()) {
      Result<ReceivedBody> piece = exchange_.receive();
      if (!piece.ok()) return end(nullptr);
      if (!piece->more) return end(&piece->bytes);
      if (piece->bytes.empty()) return;
      most_ = std::max(most_, piece->bytes.size());
      (void)exchange_.write(piece->bytes, true);
    }
  }
  void end(const std::string* last) {
    if (std::exchange(has_ended_, true)) return ADD_FAILURE() << "told after the end";
    on_end_();
    last != nullptr ? (void)exchange_.write(*last, false) : exchange_.abort();
  }

  Exchange& exchange_;
  const std::function<void()> on_end_;
  std::size_t most_ = 0;
  bool has_ended_ = false;
};

struct EchoServer {
  explicit EchoServer(int status = 200, Limits limits = {})
      : server(
            [this, status](Exchange& exchange) {
              Response head;
              head.status = status;
              if (status == 101) head.headers.push_back({"Upgrade", "echo"});
              std::make_shared<Echo>(exchange, [this] { ++ended; })->begin(std::move(head));
            },
            limits, streamed()) {}

  std::atomic<int> ended = 0;
  TestServer server;
};

constexpr std::string_view kPost = "POST /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n";

TEST(ServerLoopAnswer, SendsABodyBackThatIsThereAtOnce) {
  EchoServer echo;
  RawClient client(echo.server.port());
  client.send(std::string(kPost) + "Content-Length: 5\r\n\r\nhello");
  EXPECT_THAT(client.read_to_end(), HasSubstr("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
  EXPECT_EQ(echo.ended, 1);
}

TEST(ServerLoopAnswer, SendsEachPieceWhenItComes) {
  EchoServer echo;
  RawClient client(echo.server.port());
  client.send(std::string(kPost) + "Content-Length: 10\r\n\r\nhello");
  EXPECT_THAT(client.read_until("5\r\nhello\r\n"), StartsWith("HTTP/1.1 200 "));
  client.send("world");
  EXPECT_THAT(client.read_to_end(), HasSubstr("5\r\nworld\r\n0\r\n\r\n"));
}

TEST(ServerLoopAnswer, KeepsTheConnectionForTheNextRequest) {
  EchoServer echo;
  RawClient client(echo.server.port());
  const std::string post = "POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi";
  for (int i = 0; i < 3; ++i) {
    client.send(post);
    EXPECT_THAT(client.read_until("2\r\nhi\r\n0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  }
  client.send(post + post);  // pipelined
  EXPECT_THAT(client.read_until("0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(client.read_until("0\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
}

// The client reads nothing until it has sent all: what it sends fills both buffers, and the server
// stops to read. So a thread sends.
TEST(ServerLoopAnswer, WaitsForASlowReader) {
  EchoServer echo;
  RawClient client(echo.server.port());
  constexpr std::size_t kSize = 32u << 20;
  std::thread sender([&] {
    client.send(std::string(kPost) + "Content-Length: " + std::to_string(kSize) + "\r\n\r\n");
    client.send(std::string(kSize, 'x'));
  });
  const std::string all = client.read_to_end();
  sender.join();
  EXPECT_EQ(std::count(all.begin(), all.end(), 'x'), kSize);
  EXPECT_TRUE(all.ends_with("0\r\n\r\n"));
}

TEST(ServerLoopAnswer, IsToldOfAClientThatLeaves) {
  EchoServer echo;
  {
    RawClient client(echo.server.port());
    client.send(std::string(kPost) + "Content-Length: 10\r\n\r\nhello");
    (void)client.read_until("5\r\nhello\r\n");
    client.reset();
  }
  const TimePoint limit = in_ten_seconds();
  while (echo.ended == 0 && SteadyClock().now() < limit) std::this_thread::yield();
  EXPECT_EQ(echo.ended, 1);
}

TEST(ServerLoopAnswer, IsToldOfABodyThatFails) {
  Limits limits;
  limits.body_timeout = std::chrono::milliseconds(50);
  EchoServer echo(200, limits);
  RawClient client(echo.server.port());
  client.send(std::string(kPost) + "Content-Length: 10\r\n\r\nhello");
  EXPECT_FALSE(client.read_to_end().ends_with("0\r\n\r\n"));
  EXPECT_EQ(echo.ended, 1);
}

constexpr std::string_view kUpgrade =
    "GET /a HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";

TEST(ServerLoopAnswer, BecomesATunnelWithStatus101) {
  EchoServer echo(101);
  RawClient client(echo.server.port());
  client.send(std::string(kUpgrade) + "early");
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_THAT(head, StartsWith("HTTP/1.1 101 Switching Protocols\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nUpgrade: echo\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nConnection: Upgrade\r\n"));
  EXPECT_THAT(head, testing::Not(HasSubstr("Content-Length")));
  EXPECT_EQ(client.read_until("early"), "early");
  client.send("GET / HTTP/1.1\r\n\r\n");  // bytes like any others
  EXPECT_EQ(client.read_until("\r\n\r\n"), "GET / HTTP/1.1\r\n\r\n");
  client.send("last");
  client.end_sending();
  EXPECT_EQ(client.read_to_end(), "last");
  EXPECT_EQ(echo.ended, 1);
}

TEST(ServerLoopAnswer, ATunnelPushesBackToo) {
  EchoServer echo(101);
  RawClient client(echo.server.port());
  client.send(kUpgrade);
  (void)client.read_until("\r\n\r\n");
  constexpr std::size_t kSize = 32u << 20;
  std::thread sender([&] {
    client.send(std::string(kSize, 'x'));
    client.end_sending();
  });
  EXPECT_EQ(client.read_to_end().size(), kSize);
  sender.join();
}

TEST(ServerLoopAnswer, ARequestThatCameWholeCanBeAnsweredSo) {
  TestServer server([](Exchange& exchange) { std::make_shared<Echo>(exchange, [] {})->begin({}); });
  RawClient client(server.port());
  client.send(std::string(kPost) + "Content-Length: 5\r\n\r\nhello");
  EXPECT_THAT(client.read_to_end(), HasSubstr("\r\n\r\n5\r\nhello\r\n0\r\n\r\n"));
}

TEST(ServerLoopAnswer, ATunnelNeedsTheLoop) {
  TestServer server(
      [](Exchange& exchange) {
        Response head;
        head.status = 101;
        EXPECT_EQ(exchange.start(head).code(), BENTO_FAILED_PRECONDITION);
        exchange.respond(Response::text(200, "no"));
      },
      {}, streamed());
  RawClient client(server.port());
  EXPECT_EQ(client.ask(kUpgrade).body, "no");
}

}  // namespace
}  // namespace bentohost::http
