// RateLimit, RequestTimeout, BodyLimit and IPAllow.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bento/middleware/body_limit.hpp>
#include <bento/middleware/ip_allow.hpp>
#include <bento/middleware/rate_limit.hpp>
#include <bento/middleware/request_timeout.hpp>
#include <deque>
#include <thread>

#include "sdk/fake_exchange.h"

namespace bento::middleware {
namespace {

using namespace std::chrono_literals;
using fakes::FakeExchange;
using testing::HasSubstr;

class RateLimitTest : public testing::Test {
 protected:
  RateLimit limit(RateLimitOptions options) {
    return RateLimit(std::move(options), [this] { return now_; });
  }
  // "" where the request passes, else its Retry-After.
  static std::string ask(const RateLimit& middleware, const std::string& client,
                         const std::string& key = "") {
    FakeExchange exchange;
    exchange.client = client;
    if (!key.empty()) exchange.headers = {{"x-api-key", key}};
    if (exchange.request(middleware)) return "";
    EXPECT_EQ(exchange.answer->status, 429u);
    return fakes::find(exchange.answer->headers, "retry-after");
  }

  std::chrono::steady_clock::time_point now_{1h};
};

TEST_F(RateLimitTest, AllowsABurstAndThenARate) {
  const RateLimit middleware = limit({.rate = 2, .burst = 3});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "1");
  now_ += 499ms;
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "1") << "what was refused costs nothing";
  now_ += 1ms;
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "1");
  now_ += 1h;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "1") << "a bucket holds no more than the burst";
}

TEST_F(RateLimitTest, TellsWhenToComeBack) {
  const RateLimit middleware = limit({.rate = 0.1, .burst = 1});
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "10");
  now_ += 9001ms;
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "1");
}

TEST_F(RateLimitTest, TellsClientsApartByTheirAddresses) {
  const RateLimit middleware = limit({.rate = 1, .burst = 1});
  for (const char* client : {"192.0.2.1:1", "192.0.2.2:1", "[::1]:1", "[::2]:1", "unix"}) {
    EXPECT_EQ(ask(middleware, client), "") << client;
  }
  for (const char* client : {"192.0.2.1:2", "[::1]:2", "[::2%eth0]:1", "unix:", "unix"}) {
    EXPECT_EQ(ask(middleware, client), "1") << client;
  }
}

TEST_F(RateLimitTest, TellsClientsApartByAHeader) {
  const RateLimit middleware = limit({.rate = 1, .burst = 1, .header = "X-API-Key"});
  EXPECT_EQ(ask(middleware, "192.0.2.1:1", "a"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1", "b"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.2:1", "a"), "1");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "") << "without it, by the address";
  EXPECT_EQ(ask(middleware, "192.0.2.1:1"), "1");
  const std::string beginning(128, 'x');
  EXPECT_EQ(ask(middleware, "192.0.2.1:1", beginning + "a"), "");
  EXPECT_EQ(ask(middleware, "192.0.2.1:1", beginning + "b"), "1");
}

TEST_F(RateLimitTest, ForgetsWhoWasNotSeenForLongest) {
  const RateLimit middleware = limit({.rate = 1, .burst = 1, .max_keys = 2});
  EXPECT_EQ(ask(middleware, "a"), "");
  EXPECT_EQ(ask(middleware, "b"), "");
  EXPECT_EQ(ask(middleware, "a"), "1");
  EXPECT_EQ(ask(middleware, "c"), "") << "in the place of b";
  EXPECT_EQ(ask(middleware, "a"), "1");
  EXPECT_EQ(ask(middleware, "b"), "");
}

TEST_F(RateLimitTest, CountsForManyThreads) {
  const RateLimit middleware = limit({.rate = 0.001, .burst = 500});
  std::atomic<int> passed = 0;
  std::vector<std::thread> threads;
  std::deque<FakeExchange> exchanges(4);
  for (FakeExchange& exchange : exchanges) {
    threads.emplace_back([&] {
      for (int turn = 0; turn < 200; ++turn) {
        exchange.answer.reset();
        if (exchange.request(middleware)) ++passed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(passed, 500);
}

TEST_F(RateLimitTest, RefusesOptionsThatCannotBe) {
  EXPECT_THROW(limit({.rate = 0}), Error);
  EXPECT_THROW(limit({.rate = -1}), Error);
  EXPECT_THROW(limit({.rate = 0.0 / 0.0}), Error);
  EXPECT_THROW(limit({.burst = 0}), Error);
  EXPECT_THROW(limit({.max_keys = 0}), Error);
  EXPECT_THROW(limit({.header = "x y"}), Error);
  EXPECT_NO_THROW(limit({.rate = 0.001, .burst = 1'000'000}));
}

TEST(RequestTimeout, SetsTheDeadline) {
  const auto before = std::chrono::steady_clock::now().time_since_epoch();
  FakeExchange exchange;
  EXPECT_TRUE(exchange.request(RequestTimeout{5s}));
  const auto after = std::chrono::steady_clock::now().time_since_epoch();
  const std::chrono::nanoseconds deadline(exchange.deadline_ns.value());
  EXPECT_GE(deadline, before + 5s);
  EXPECT_LE(deadline, after + 5s);
  EXPECT_THROW(RequestTimeout{0s}, Error);
  EXPECT_THROW(RequestTimeout({.timeout = -1s}), Error);
}

TEST(BodyLimit, RefusesAtOnceWhatSaysThatItIsTooLong) {
  const BodyLimit middleware{100};
  for (const char* length : {"101", "18446744073709551616", "99999999999999999999999"}) {
    FakeExchange exchange;
    exchange.headers = {{"content-length", length}};
    EXPECT_FALSE(exchange.request(middleware)) << length;
    EXPECT_EQ(exchange.answer->status, 413u);
    EXPECT_THAT(exchange.answer->body, HasSubstr("100 bytes"));
  }
}

TEST(BodyLimit, LimitsWhatSaysSomethingElseOrNothing) {
  const BodyLimit middleware({.max_body = 100});
  for (const char* length : {"100", "0", ""}) {
    FakeExchange exchange;
    exchange.headers = {{"content-length", length}};
    EXPECT_TRUE(exchange.request(middleware)) << length;
    EXPECT_EQ(exchange.body_limit, 100u);
  }
  FakeExchange exchange;
  EXPECT_TRUE(exchange.request(middleware));
  EXPECT_EQ(exchange.body_limit, 100u);
}

TEST(IPAllow, ServesThoseOfItsLists) {
  const IPAllow office(
      {.allow = {"10.0.0.0/8", "192.0.2.1", "2001:db8::/33", "::ffff:198.51.100.0/120"},
       .deny = {"10.1.0.0/16"}});
  const IPAllow all_but({.deny = {"10.0.0.0/8"}});
  const IPAllow local({.allow = {"unix", "127.0.0.0/8"}});
  const IPAllow v6({.allow = {"::/0"}});
  const IPAllow v4({.allow = {"0.0.0.0/0"}});
  const IPAllow denied({.allow = {"unix"}, .deny = {"unix"}});
  const struct {
    const IPAllow& middleware;
    const char* client;
    bool passes;
  } kCases[] = {
      {office, "10.255.0.1:80", true},
      {office, "10.1.0.1:80", false},
      {office, "11.0.0.1:80", false},
      {office, "192.0.2.1:80", true},
      {office, "192.0.2.2:80", false},
      {office, "[::ffff:10.0.0.1]:80", true},
      {office, "198.51.100.7:80", true},
      {office, "[2001:db8:7fff::1]:80", true},
      {office, "[2001:db8:8000::1]:80", false},
      {office, "unix", false},
      {office, "", false},
      {all_but, "10.0.0.1:80", false},
      {all_but, "[::1]:80", true},
      {all_but, "unix", false},
      {all_but, "nonsense:80", false},
      {local, "unix", true},
      {local, "unix:/run/s", true},
      {local, "127.0.0.1:80", true},
      {local, "[::1]:80", false},
      {v6, "[fe80::1%eth0]:80", true},
      {v6, "10.0.0.1:80", false},
      {v4, "10.0.0.1:80", true},
      {v4, "[::1]:80", false},
      {denied, "unix", false},
  };
  for (const auto& c : kCases) {
    FakeExchange exchange;
    exchange.client = c.client;
    EXPECT_EQ(exchange.request(c.middleware), c.passes) << c.client;
    EXPECT_EQ(exchange.answer ? exchange.answer->status : 0u, c.passes ? 0u : 403u);
  }
}

TEST(IPAllow, RefusesOptionsThatCannotBe) {
  EXPECT_THROW(IPAllow({}), Error);
  for (const char* text : {"", "localhost", "10.0.0.0/33", "10.0.0.1/8", "10.0.0.0/", "10.0.0.0/8x",
                           "::1/0", "::/129", "10.0.0.0/-1", "010.0.0.1", "fe80::1%eth0"}) {
    EXPECT_THROW(IPAllow({.allow = {text}}), Error) << text;
  }
}

}  // namespace
}  // namespace bento::middleware
