// Handlers that are coroutines, run by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> notes;

// Notes its end: when its coroutine's frame is unwound.
struct Noted {
  explicit Noted(std::string n) : name(std::move(n)) {}
  Noted(const Noted&) = delete;
  ~Noted() { notes.push_back("~" + name); }
  std::string name;
};

struct Shouter {
  std::string shout(std::string_view text) {
    if (text.empty()) throw bento::Error(BENTO_NOT_FOUND, "nothing to shout");
    return std::string(text) + "!";
  }
  std::string whisper(std::string_view text) { return "(" + std::string(text) + ")"; }
};

using Shout = bento::Method<std::string, std::string_view>;

bento::Async<std::string> shout_twice(bento::Context& ctx, Shout shout, std::string text) {
  const Noted noted("twice");
  const std::string once = co_await shout.async_run(ctx, text);
  co_return co_await shout.async_run(ctx, once);
}

void describe(bento::Service& svc) {
  svc.name("coroutines");
  auto runner = svc.runner<Shouter>("shouter");
  auto shout = runner.method<&Shouter::shout>("shout");
  auto whisper = runner.method<&Shouter::whisper>("whisper");

  svc.api("shout",
          [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
            const Noted noted("shout");
            co_return co_await shout.async_run(ctx, text);
          });
  svc.api("two", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    auto a = shout.async_run(ctx, text);
    auto b = whisper.async_run(ctx, text);
    co_return co_await a + co_await b;
  });
}

using Hand = bento::testing::Host;

TEST(AsyncApi, AnswersWhenTheRunnerHasAnsweredAndNotBefore) {
  Hand host(bento::fakes::kEntry<&describe>);
  auto exchange = host.begin({.method = "POST", .target = "/shout", .body = "hi"});
  EXPECT_FALSE(exchange.has_ended());
  EXPECT_EQ(exchange.so_far().status, 0u);
  EXPECT_TRUE(host.turn());  // the answer is there
  host.settle();
  EXPECT_EQ(exchange.response().body, "hi!");
}
TEST(AsyncApi, Two) {
  Hand host(bento::fakes::kEntry<&describe>);
  EXPECT_EQ(host.post("/two", "hi").body, "hi!(hi)");
}

}  // namespace
