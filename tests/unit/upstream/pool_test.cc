// Which server and which connection a request gets, and what happens to those that must wait.
#include <thread>

#include "proxy_fixture.h"

namespace bentohost::upstream {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PoolTest : public ProxyTest {
 protected:
  PoolTest() {
    options.limits.max_connections = 1;
    options.limits.max_queue = 2;
  }
};

TEST_F(PoolTest, WithoutAServerTheReasonIsTheAnswer) {
  use().remove(server);
  EXPECT_THAT(get()->why.message(), HasSubstr("the app at /p is not running"));
  upstream->set_reason("the app at /p is not running: it exited with code 1",
                       std::chrono::milliseconds(3500));
  const auto client = get();
  EXPECT_EQ(client->why.http_status(), 503u);
  EXPECT_EQ(client->why.message(), "the app at /p is not running: it exited with code 1");
  EXPECT_EQ(http::find_header(client->failure_headers, "Retry-After"), "4");
  EXPECT_THAT(outcomes, ElementsAre("unavailable", "unavailable"));
}

TEST_F(PoolTest, AServerThatIsNotThereIsABadGateway) {
  use().remove(server);
  upstream->add(path("nothing"));
  const auto client = get();
  EXPECT_EQ(client->why.http_status(), 502u);
  EXPECT_THAT(client->why.message(), HasSubstr("No such file"));
  EXPECT_EQ(upstream->connections(), 0u);
}

TEST_F(PoolTest, AServerThatCannotBeReachedIsPassedOver) {
  use().remove(server);
  upstream->add(path("nothing"));
  upstream->add(path("s"));
  const auto client = get();
  ServerEnd end = accept_request();
  send(end, kOk);
  EXPECT_EQ(client->end, "answered");
}

TEST_F(PoolTest, RequestsWaitForAConnectionInTheirOrder) {
  const auto first = get();
  const auto second = get("/p/second");
  const auto third = get("/p/third");
  EXPECT_EQ(upstream->waiting(), 2u);
  ServerEnd end = accept_request();
  send(end, kOk);
  EXPECT_THAT(end.take(), testing::StartsWith("GET /second "));
  send(end, kOk);
  EXPECT_THAT(end.take(), testing::StartsWith("GET /third "));
  EXPECT_FALSE(has_connection());
  send(end, kOk);
  EXPECT_EQ(third->end, "answered");
  EXPECT_EQ(upstream->waiting(), 0u);
}

TEST_F(PoolTest, AFullQueueRefuses) {
  const auto first = get();
  get();
  get();
  const auto client = get();
  EXPECT_EQ(client->why.http_status(), 503u);
  EXPECT_THAT(client->why.message(), HasSubstr("too many requests wait for the app at /p"));
  EXPECT_EQ(http::find_header(client->failure_headers, "Retry-After"), "1");
  EXPECT_THAT(outcomes, ElementsAre("queue_full"));
}

TEST_F(PoolTest, ARequestThatWaitsUntilItsDeadlineIsRefused) {
  const auto first = get();
  const auto client = make();
  client->due = clock.now() + std::chrono::seconds(1);
  begin(client);
  advance(std::chrono::milliseconds(1100));
  EXPECT_EQ(client->why.http_status(), 503u);
  EXPECT_THAT(client->why.message(), HasSubstr("before the request's deadline"));
  EXPECT_EQ(upstream->waiting(), 0u);
}

TEST_F(PoolTest, AClientThatLeavesGivesItsPlaceInTheQueueUp) {
  const auto first = get();
  const auto second = get();
  const auto third = get("/p/third");
  second->go();
  EXPECT_EQ(upstream->waiting(), 1u);
  ServerEnd end = accept_request();
  send(end, kOk);
  EXPECT_THAT(end.take(), testing::StartsWith("GET /third "));
}

TEST_F(PoolTest, AConnectionThatEndsMakesRoomForTheNext) {
  const auto first = post("x");
  const auto second = get();
  ServerEnd end = accept_request();
  end.close();
  turn();
  EXPECT_EQ(first->end, "failed");
  ServerEnd next = accept_request();
  send(next, kOk);
  EXPECT_EQ(second->end, "answered");
}

TEST_F(PoolTest, TheLeastBusyServerGetsTheRequest) {
  options.limits.max_connections = 10;
  use();
  UniqueFd first_listener = std::move(listener);
  listen_at("two");
  upstream->add(path("two"));
  const auto a = get();
  const auto b = get();
  EXPECT_TRUE(has_connection());
  ServerEnd b_end = accept_request();
  std::swap(first_listener, listener);
  ServerEnd a_end = accept_request();
  EXPECT_FALSE(has_connection());
  send(a_end, kOk);
  get("/p/third");
  EXPECT_THAT(a_end.take(), testing::StartsWith("GET /third "));
}

TEST_F(PoolTest, ARetiredServerFinishesWhatItHas) {
  const auto first = get();
  const auto second = get();
  int drained = 0;
  upstream->retire(server, [&drained] { ++drained; });
  turn();
  EXPECT_EQ(second->why.http_status(), 503u) << "it waited, and no server takes requests now";
  EXPECT_EQ(drained, 0);
  ServerEnd end = accept_request();
  send(end, kOk);
  EXPECT_EQ(first->end, "answered");
  EXPECT_EQ(drained, 1);
  EXPECT_TRUE(end.is_closed());
  EXPECT_EQ(upstream->served(server), 1u);
  upstream->remove(server);
  EXPECT_EQ(drained, 1);
}

TEST_F(PoolTest, AnIdleServerIsDrainedAtOnce) {
  get();
  ServerEnd end = accept_request();
  send(end, kOk);
  int drained = 0;
  upstream->retire(server, [&drained] { ++drained; });
  EXPECT_EQ(drained, 1);
  turn();
  EXPECT_TRUE(end.is_closed());
  upstream->remove(server);
  upstream->retire(server, [&drained] { ++drained; });
  EXPECT_EQ(drained, 2) << "also one that is gone";
}

TEST_F(PoolTest, RequestsThatWaitGoToANewServer) {
  const auto first = get();
  const auto second = get();
  ServerEnd end = accept_request();
  listen_at("two");
  upstream->add(path("two"));
  turn();
  ServerEnd other = accept_request();
  send(other, kOk);
  EXPECT_EQ(second->end, "answered");
}

TEST_F(PoolTest, WhatADeadServerHasSentIsStillRead) {
  options.limits.max_connections = 3;
  const auto answered = get();
  ServerEnd a = accept_request();
  const auto cut = get();
  ServerEnd b = accept_request();
  const auto posted = post("x");
  ServerEnd c = accept_request();
  send(b, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n");
  a.send(kOk);
  upstream->remove(server);  // its end of the sockets is still open somewhere
  turn();
  EXPECT_EQ(answered->end, "answered");
  EXPECT_EQ(cut->end, "aborted");
  EXPECT_EQ(posted->why.http_status(), 502u);
  EXPECT_EQ(upstream->connections(), 0u);
  EXPECT_EQ(upstream->in_flight(), 0u);
}

TEST_F(PoolTest, AGetThatADeadServerLostGoesToAnotherOne) {
  const auto client = get();
  ServerEnd end = accept_request();
  listen_at("two");
  upstream->add(path("two"));
  upstream->remove(server);
  turn();
  ServerEnd other = accept_request();
  send(other, kOk);
  EXPECT_EQ(client->end, "answered");
}

// The report of the death may come before or after the end of the connection: the answer is the
// same.
TEST_F(PoolTest, AGetThatTheOnlyServerLostIsABadGateway) {
  const auto client = get();
  ServerEnd end = accept_request();
  upstream->remove(server);
  turn();
  EXPECT_EQ(client->why.http_status(), 502u);
  EXPECT_THAT(outcomes, ElementsAre("failed"));
}

TEST_F(PoolTest, AnUpstreamThatEndsClosesItsConnections) {
  get();
  ServerEnd end = accept_request();
  send(end, kOk);
  upstream.reset();
  turn();
  EXPECT_TRUE(end.is_closed());
}

// ---- two loops

TEST_F(PoolTest, AnIdleConnectionMovesToTheLoopThatNeedsIt) {
  get();
  ServerEnd end = accept_request();
  send(end, kOk);
  EventLoop other(clock);
  const auto client = std::make_shared<FakeDownstream>(other, "GET", "/p/other");
  other.post([&] { proxy(client, upstream); });
  other.step(Duration::zero());
  EXPECT_EQ(upstream->waiting(), 1u);
  turn();  // here it is given away
  other.step(Duration::zero());
  EXPECT_THAT(end.take(), testing::StartsWith("GET /other "));
  end.send(kOk);
  other.step(Duration::zero());
  EXPECT_EQ(client->end, "answered");
  EXPECT_EQ(upstream->connections(), 1u);
  upstream.reset();
  other.step(Duration::zero());
}

TEST_F(PoolTest, AConnectionInUseElsewhereIsHandedOverWhenItIsFree) {
  const auto first = get();
  ServerEnd end = accept_request();
  EventLoop other(clock);
  const auto client = std::make_shared<FakeDownstream>(other, "GET", "/p/other");
  other.post([&] { proxy(client, upstream); });
  other.step(Duration::zero());
  send(end, kOk);
  other.step(Duration::zero());
  EXPECT_THAT(end.take(), testing::StartsWith("GET /other "));
  // The same when it closes: the other loop may open one.
  const auto third = get("/p/third");
  end.close();
  other.step(Duration::zero());
  ServerEnd second = accept_request();
  second.close();
  other.step(Duration::zero());
  EXPECT_EQ(client->end, "failed");
  turn();
  ServerEnd next = accept_request();
  send(next, kOk);
  EXPECT_EQ(third->end, "answered");
  upstream.reset();
  other.step(Duration::zero());
}

}  // namespace
}  // namespace bentohost::upstream
