#include "http/server/server_state.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "http/rejection_reasons.h"

namespace bentohost::http {
namespace {

// Records the reported number of open connections.
struct Counter final : Application {
  BodyPlan plan(const Request&) override { return {}; }
  void handle(Exchange&) override {}
  void refuse(Exchange&, Refusal) override {}
  void aborted(std::string_view) override {}
  void connections(std::size_t open) override { told.push_back(open); }
  std::vector<std::size_t> told;
};

Limits at_most(std::size_t per_client) {
  Limits limits;
  limits.max_connections_per_client = per_client;
  return limits;
}

TEST(ServerState, CountsEachAddressByItself) {
  Counter counter;
  ServerState server(at_most(2), {}, counter);
  EXPECT_EQ(server.opened("10.0.0.1:1000"), "");
  EXPECT_EQ(server.opened("10.0.0.1:1001"), "");
  EXPECT_EQ(server.opened("10.0.0.1:1002"), reason::kClientConnections);
  EXPECT_EQ(server.opened("10.0.0.11:1000"), "");
  EXPECT_EQ(server.opened("[::1]:1000"), "");
  EXPECT_EQ(server.opened("[::1]:1001"), "");
  EXPECT_EQ(server.opened("[::1]:1002"), reason::kClientConnections);
  EXPECT_EQ(server.open(), 5u);
  server.closed("10.0.0.1:1001");
  EXPECT_EQ(server.opened("10.0.0.1:1003"), "");
  EXPECT_EQ(server.opened("10.0.0.1:1004"), reason::kClientConnections);
  EXPECT_EQ(server.open(), 5u);
}

TEST(ServerState, ForgetsAnAddressThatIsGone) {
  Counter counter;
  ServerState server(at_most(1), {}, counter);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(server.opened("10.0.0.1:1000"), "");
    EXPECT_EQ(server.opened("10.0.0.1:1001"), reason::kClientConnections);
    server.closed("10.0.0.1:1000");
  }
  EXPECT_EQ(server.open(), 0u);
}

TEST(ServerState, ClientsOfUnixSocketsAreOne) {
  Counter counter;
  ServerState server(at_most(1), {}, counter);
  EXPECT_EQ(server.opened("unix"), "");
  EXPECT_EQ(server.opened("unix"), reason::kClientConnections);
  server.closed("unix");
  EXPECT_EQ(server.opened("unix"), "");
}

TEST(ServerState, WithoutALimitAnyNumberIsFine) {
  Counter counter;
  ServerState server(at_most(0), {}, counter);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(server.opened("10.0.0.1:1000"), "");
  for (int i = 0; i < 1000; ++i) server.closed("10.0.0.1:1000");
  EXPECT_EQ(server.open(), 0u);
}

TEST(ServerState, TellsTheApplicationOfWhatIsOpenAndNotOfWhoWasSentAway) {
  Counter counter;
  ServerState server(at_most(1), {}, counter);
  server.opened("10.0.0.1:1");
  server.opened("10.0.0.1:2");
  server.opened("10.0.0.2:1");
  server.closed("10.0.0.1:1");
  server.closed("10.0.0.2:1");
  EXPECT_THAT(counter.told, testing::ElementsAre(1u, 2u, 1u, 0u));
}

TEST(ServerState, WaitsUntilTheLastIsClosed) {
  Counter counter;
  ServerState server({}, {}, counter);
  EXPECT_TRUE(server.wait_until_none(TimePoint::min()));
  server.opened("10.0.0.1:1");
  EXPECT_FALSE(server.wait_until_none(TimePoint::min()));
  std::thread closing([&] { server.closed("10.0.0.1:1"); });
  EXPECT_TRUE(server.wait_until_none(SteadyClock().now() + std::chrono::seconds(10)));
  closing.join();
}

TEST(ServerState, CountsFromAnyThread) {
  Counter counter;
  ServerState server(at_most(10), {}, counter);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        if (server.opened("10.0.0.1:1").empty()) server.closed("10.0.0.1:1");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(server.open(), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(server.opened("10.0.0.1:1"), "");
  EXPECT_EQ(server.opened("10.0.0.1:1"), reason::kClientConnections);
}

}  // namespace
}  // namespace bentohost::http
