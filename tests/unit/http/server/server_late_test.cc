// Responses in place of late handlers, and the calls after a response was sent.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <optional>

#include "base/loop/thread_pool.h"
#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

// Answers 504, unless the request has been answered.
class Late final : public DeadlineResponder {
 public:
  std::optional<Response> late() override {
    ++calls;
    if (is_answered) return std::nullopt;
    return Response::text(504, "too late");
  }
  TimePoint on_whole_body(TimePoint now) override { return now; }
  std::atomic<int> calls = 0;
  std::atomic<bool> is_answered = false;
};

class ServerLateTest : public testing::Test {
 protected:
  // Serves with a handler on a thread; after `time` the server answers in its place.
  void serve(std::chrono::milliseconds time, Handler handler, bool streamed = false) {
    server_.emplace(
        [this, time, handler](Exchange& exchange) {
          exchange.answer_by(SteadyClock().now() + time, late_);
          threads_.run([handler, &exchange] { handler(exchange); });
        },
        Limits(), BodyPlan{.max_body = 0, .streamed = streamed});
  }
  ~ServerLateTest() override {
    if (server_) (**server_).stop(TimePoint::min());
    threads_.stop(in_ten_seconds());
  }

  const std::shared_ptr<Late> late_ = std::make_shared<Late>();
  ThreadPool threads_{8, 8};
  std::optional<TestServer> server_;
};

TEST_F(ServerLateTest, AnswersForAHandlerThatDoesNot) {
  std::promise<void> end;
  std::promise<bool> was_cancelled;
  serve(milliseconds(20), [&](Exchange& exchange) {
    const auto cancelled = exchange.cancelled();
    end.get_future().wait();
    was_cancelled.set_value(cancelled->load());
    EXPECT_EQ(exchange.request().path, "/a") << "the handler still has its request";
    exchange.respond(Response::text(200, "in vain"));
  });
  RawClient client(server_->port());
  client.send(kGet);
  const std::string answer = client.read_to_end();  // and the connection ends
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 504 "));
  EXPECT_THAT(answer, HasSubstr("Connection: close"));
  EXPECT_THAT(answer, HasSubstr("too late"));
  end.set_value();
  EXPECT_TRUE(was_cancelled.get_future().get());
}

TEST_F(ServerLateTest, LeavesAnAnswerAloneThatIsOnItsWay) {
  std::promise<void> end;
  late_->is_answered = true;
  serve(milliseconds(1), [&](Exchange& exchange) {
    while (late_->calls == 0) std::this_thread::yield();
    exchange.respond(Response::text(200, "just so"));
  });
  RawClient client(server_->port());
  client.send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), HasSubstr("just so"));
}

TEST_F(ServerLateTest, TellsAHandlerThatWouldStream) {
  std::promise<bento_code> code;
  serve(
      milliseconds(20),
      [&](Exchange& exchange) {
        const auto cancelled = exchange.cancelled();
        while (!*cancelled) std::this_thread::yield();
        code.set_value(exchange.start(Response::text(200, "a")).code());
        (void)exchange.write("b", false);
      },
      true);
  RawClient client(server_->port());
  client.send(kGet);
  EXPECT_THAT(client.read_to_end(), HasSubstr("HTTP/1.1 504 "));
  EXPECT_EQ(code.get_future().get(), BENTO_CANCELLED);
}

// However slowly the body drips: the handler's time limit is that of the request.
TEST_F(ServerLateTest, DoesNotWaitForABodyThatIsStillComing) {
  std::promise<bento_code> code;
  serve(
      milliseconds(20),
      [&](Exchange& exchange) {
        Result<ReceivedBody> piece = exchange.receive();
        while (piece.ok() && piece->more) piece = exchange.receive();
        code.set_value(piece.status().code());
        exchange.respond(Response::text(200, "in vain"));
      },
      true);
  RawClient client(server_->port());
  client.send("POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_THAT(client.read_to_end(), HasSubstr("HTTP/1.1 504 "));
  EXPECT_EQ(code.get_future().get(), BENTO_CANCELLED);
}

TEST_F(ServerLateTest, DoesNotCutAStreamThatHasBegun) {
  const TimePoint late_at = SteadyClock().now() + milliseconds(30);
  late_->is_answered = true;  // as the service does when it has answered
  serve(
      milliseconds(30),
      [&](Exchange& exchange) {
        EXPECT_TRUE(exchange.start(Response::text(200, "a")).ok());
        while (SteadyClock().now() < late_at) std::this_thread::yield();
        EXPECT_TRUE(exchange.write("b", true).ok());
        EXPECT_TRUE(exchange.write("c", false).ok());
      },
      true);
  RawClient client(server_->port());
  client.send("GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  const std::string answer = client.read_to_end();
  EXPECT_THAT(answer, HasSubstr("HTTP/1.1 200 "));
  EXPECT_THAT(answer, testing::EndsWith("0\r\n\r\n"));
}

TEST(ServerSent, TellsWhenTheAnswerHasGoneOut) {
  std::promise<void> sent;
  TestServer server([&](Exchange& exchange) {
    exchange.after_sent([&] { sent.set_value(); });
    echo(exchange);
  });
  RawClient client(server.port());
  client.send(kGet);
  sent.get_future().wait();
  EXPECT_THAT(client.reply().body, HasSubstr("GET /a"));
}

TEST(ServerSent, TellsItOnceToEachOfAPipeline) {
  std::atomic<int> sent = 0;
  TestServer server([&](Exchange& exchange) {
    exchange.after_sent([&] { ++sent; });
    echo(exchange);
  });
  RawClient client(server.port());
  client.send(std::string(kGet) + std::string(kGet) +
              "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(client.read_to_end(), HasSubstr("/last"));
  EXPECT_EQ(sent, 3);
}

TEST(ServerSent, TellsItAlsoWhenTheClientIsGone) {
  std::promise<void> begun, end, sent;
  ThreadPool threads(2, 2);
  TestServer server([&](Exchange& exchange) {
    exchange.after_sent([&] { sent.set_value(); });
    threads.run([&] {
      begun.set_value();
      end.get_future().wait();
      echo(exchange);
    });
  });
  {
    RawClient client(server.port());
    client.send(kGet);
    begun.get_future().wait();
  }
  end.set_value();
  sent.get_future().wait();
  threads.stop(in_ten_seconds());
}

}  // namespace
}  // namespace bentohost::http
