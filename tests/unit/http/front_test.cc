#include "http/front.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace bentohost::http {
namespace {

// Knows how many connections are open, as it was told.
struct Counter final : Application {
  BodyPlan plan(const Request&) override { return {}; }
  void handle(Exchange&) override {}
  void refuse(Exchange&, Refusal) override {}
  void cut(std::string_view) override {}
  void connections(std::size_t open) override { told.push_back(open); }
  std::vector<std::size_t> told;
};

Limits at_most(std::size_t per_client) {
  Limits limits;
  limits.max_connections_per_client = per_client;
  return limits;
}

TEST(Front, CountsEachAddressByItself) {
  Counter counter;
  Front front(at_most(2), {}, counter);
  EXPECT_EQ(front.opened("10.0.0.1:1000"), "");
  EXPECT_EQ(front.opened("10.0.0.1:1001"), "");
  EXPECT_EQ(front.opened("10.0.0.1:1002"), reason::kClientConnections);
  EXPECT_EQ(front.opened("10.0.0.11:1000"), "");
  EXPECT_EQ(front.opened("[::1]:1000"), "");
  EXPECT_EQ(front.opened("[::1]:1001"), "");
  EXPECT_EQ(front.opened("[::1]:1002"), reason::kClientConnections);
  EXPECT_EQ(front.open(), 5u);
  front.closed("10.0.0.1:1001");
  EXPECT_EQ(front.opened("10.0.0.1:1003"), "");
  EXPECT_EQ(front.opened("10.0.0.1:1004"), reason::kClientConnections);
  EXPECT_EQ(front.open(), 5u);
}

TEST(Front, ForgetsAnAddressThatIsGone) {
  Counter counter;
  Front front(at_most(1), {}, counter);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(front.opened("10.0.0.1:1000"), "");
    EXPECT_EQ(front.opened("10.0.0.1:1001"), reason::kClientConnections);
    front.closed("10.0.0.1:1000");
  }
  EXPECT_EQ(front.open(), 0u);
}

TEST(Front, ClientsOfUnixSocketsAreOne) {
  Counter counter;
  Front front(at_most(1), {}, counter);
  EXPECT_EQ(front.opened("unix"), "");
  EXPECT_EQ(front.opened("unix"), reason::kClientConnections);
  front.closed("unix");
  EXPECT_EQ(front.opened("unix"), "");
}

TEST(Front, WithoutALimitAnyNumberIsFine) {
  Counter counter;
  Front front(at_most(0), {}, counter);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(front.opened("10.0.0.1:1000"), "");
  for (int i = 0; i < 1000; ++i) front.closed("10.0.0.1:1000");
  EXPECT_EQ(front.open(), 0u);
}

TEST(Front, TellsTheApplicationOfWhatIsOpenAndNotOfWhoWasSentAway) {
  Counter counter;
  Front front(at_most(1), {}, counter);
  front.opened("10.0.0.1:1");
  front.opened("10.0.0.1:2");
  front.opened("10.0.0.2:1");
  front.closed("10.0.0.1:1");
  front.closed("10.0.0.2:1");
  EXPECT_THAT(counter.told, testing::ElementsAre(1u, 2u, 1u, 0u));
}

TEST(Front, WaitsUntilTheLastIsClosed) {
  Counter counter;
  Front front({}, {}, counter);
  EXPECT_TRUE(front.wait_until_none(TimePoint::min()));
  front.opened("10.0.0.1:1");
  EXPECT_FALSE(front.wait_until_none(TimePoint::min()));
  std::thread closing([&] { front.closed("10.0.0.1:1"); });
  EXPECT_TRUE(front.wait_until_none(SteadyClock().now() + std::chrono::seconds(10)));
  closing.join();
}

TEST(Front, CountsFromAnyThread) {
  Counter counter;
  Front front(at_most(10), {}, counter);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1000; ++j) {
        if (front.opened("10.0.0.1:1").empty()) front.closed("10.0.0.1:1");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(front.open(), 0u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(front.opened("10.0.0.1:1"), "");
  EXPECT_EQ(front.opened("10.0.0.1:1"), reason::kClientConnections);
}

}  // namespace
}  // namespace bentohost::http
