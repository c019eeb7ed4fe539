// How a Server ends: late responses, drain, stop, and responses that never come.
#include <gtest/gtest.h>

#include <latch>
#include <memory>
#include <mutex>
#include <semaphore>
#include <thread>
#include <vector>

#include "unit/http/raw_client.h"
#include "unit/http/test_server.h"

namespace bentohost::http {
namespace {

constexpr std::string_view kGet = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

// A handler that leaves its exchange to the test.
class Desk {
 public:
  Handler handler() {
    return [this](Exchange& exchange) {
      exchange_ = &exchange;
      arrived_.release();
    };
  }
  Exchange& next() {
    arrived_.acquire();
    return *exchange_;
  }

 private:
  Exchange* exchange_ = nullptr;
  std::counting_semaphore<> arrived_{0};
};

TEST(ServerStop, AnswersWhenTheResponseComesLaterFromAnotherThread) {
  Desk desk;
  TestServer server(desk.handler());
  RawClient client(server.port());
  for (int i = 0; i < 50; ++i) {
    client.send(kGet);
    desk.next().respond(Response::text(200, std::to_string(i)));
    ASSERT_EQ(client.reply().body, std::to_string(i));
  }
}

TEST(ServerStop, DrainEndsIdleConnections) {
  TestServer server;
  RawClient fresh(server.port());
  RawClient kept(server.port());
  ASSERT_EQ(fresh.ask(kGet).status, 200);
  ASSERT_EQ(kept.ask(kGet).status, 200);
  server->drain();
  EXPECT_TRUE(fresh.at_end());
  EXPECT_TRUE(kept.at_end());
}

TEST(ServerStop, WhenItStopsAcceptingWhatIsOpenGoesOnAndTheSocketIsFree) {
  TestServer server;
  RawClient kept(server.port());
  ASSERT_EQ(kept.ask(kGet).status, 200);
  const std::uint16_t port = server.port();
  server->stop_accepting();
  EXPECT_FALSE(RawClient(port).is_connected());
  EXPECT_EQ(kept.ask(kGet).status, 200);
  const auto next = listen_on({"127.0.0.1", port, {}});
  EXPECT_TRUE(next.ok()) << next.status().message();
  server->stop_accepting();  // a second call does no harm
}

TEST(ServerStop, DrainLetsAClientInMidConversationAskOnceMore) {
  TestServer server;
  RawClient client(server.port());
  ASSERT_EQ(client.ask(kGet).status, 200);
  server->drain();
  const Reply reply = client.ask(kGet);
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("Connection: close"));
  EXPECT_TRUE(client.at_end());
}

TEST(ServerStop, DrainLetsRequestsFinishAndThenCloses) {
  Desk desk;
  TestServer server(desk.handler());
  RawClient client(server.port());
  client.send(kGet);
  Exchange& exchange = desk.next();
  server->drain();
  exchange.respond(Response::text(200, "done"));
  const Reply reply = client.reply();
  EXPECT_EQ(reply.body, "done");
  EXPECT_TRUE(reply.has("Connection: close"));
  EXPECT_TRUE(client.at_end());
}

TEST(ServerStop, DrainStillAnswersNewConnections) {
  TestServer server;
  server->drain();
  RawClient probe(server.port());
  const Reply reply = probe.ask(kGet);
  EXPECT_EQ(reply.status, 200);
  EXPECT_TRUE(reply.has("Connection: close"));
}

TEST(ServerStop, WaitsForTheResponseInFlight) {
  Desk desk;
  TestServer server(desk.handler());
  RawClient client(server.port());
  RawClient silent(server.port());
  client.send(kGet);
  Exchange& exchange = desk.next();
  std::size_t aborted = 99;
  std::thread stopping([&] { aborted = server->stop(in_ten_seconds()); });
  EXPECT_TRUE(silent.at_end());  // so stop() has begun
  exchange.respond(Response::text(200, "done"));
  EXPECT_EQ(client.reply().body, "done");
  stopping.join();
  EXPECT_EQ(aborted, 0u);
  EXPECT_FALSE(RawClient(server.port()).is_connected());
}

TEST(ServerStop, CutsWhatIsLeftAtTheDeadline) {
  TestServer server;
  RawClient client(server.port());
  ASSERT_EQ(client.ask(kGet).status, 200);
  client.send("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  ASSERT_EQ(client.reply().status, 100);  // so the server waits for the body
  EXPECT_EQ(server->stop(TimePoint::min()), 1u);
  EXPECT_TRUE(client.at_end());
}

TEST(ServerStop, SurvivesAnAnswerThatComesAfterItsEnd) {
  Desk desk;
  Exchange* exchange = nullptr;
  {
    TestServer server(desk.handler());
    RawClient client(server.port());
    client.send(kGet);
    exchange = &desk.next();
    EXPECT_EQ(server->stop(TimePoint::min()), 1u);
    EXPECT_TRUE(client.at_end());
    EXPECT_TRUE(exchange->cancelled()->load());
  }
  exchange->respond(Response::text(200, "too late"));
}

TEST(ServerStop, SurvivesAnswersFromSeveralThreadsAfterItsEnd) {
  std::mutex mutex;
  std::vector<Exchange*> exchanges;
  std::counting_semaphore<> arrived{0};
  {
    TestServer server([&](Exchange& exchange) {
      const std::lock_guard lock(mutex);
      exchanges.push_back(&exchange);
      arrived.release();
    });
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 40; ++i) {
      clients.push_back(std::make_unique<RawClient>(server.port()));
      clients.back()->send(kGet);
      arrived.acquire();
    }
    EXPECT_EQ(server->stop(TimePoint::min()), clients.size());
  }
  // Each connection ends with its response, on the responding thread.
  std::vector<std::thread> threads;
  for (std::size_t first : {0u, 1u, 2u, 3u}) {
    threads.emplace_back([&, first] {
      for (std::size_t i = first; i < exchanges.size(); i += 4) {
        exchanges[i]->respond(Response::text(200, "too late"));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ServerStop, ADestructorIsEnough) {
  auto server = std::make_unique<TestServer>();
  RawClient client(server->port());
  ASSERT_EQ(client.ask(kGet).status, 200);
  server.reset();
  EXPECT_TRUE(client.at_end());
}

}  // namespace
}  // namespace bentohost::http
