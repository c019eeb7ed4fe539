// Fetches, which the test answers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using namespace std::chrono_literals;
using bento::Async;
using bento::Context;
using bento::FetchResponse;
using bento::testing::FetchCall;
using testing::HasSubstr;

void describe(bento::Service& svc) {
  svc.name("fetching");
  svc.api("loop", [](Context& ctx, std::string_view url) -> Async<std::string> {
    auto response = co_await ctx.fetch({.method = "PUT",
                                        .url = url,
                                        .headers = {{"X-One", "1"}, {"X-Two", "2"}},
                                        .body = "sent",
                                        .timeout = 2s});
    response.check();
    co_return std::to_string(response.status) + response.body;
  });
  svc.api("thread", [](Context& ctx, std::string_view url) { return ctx.fetch(url).get().body; });
  svc.api("within", [](Context& ctx, std::string_view url) -> Async<std::string> {
    co_return (co_await ctx.fetch(url).within(50ms)).body;
  });
  svc.api("stream", [](Context& ctx, std::string_view url) -> Async<std::string> {
    auto stream = ctx.fetch_stream({.url = url});
    const FetchResponse& head = co_await stream.head();
    std::string all = std::to_string(head.status) + ":";
    while (auto piece = co_await stream.next()) all += *piece;
    co_return all;
  });
  svc.api("no_head", [](Context& ctx, std::string_view url) -> Async<std::string> {
    auto stream = ctx.fetch_stream({.url = url});
    co_await stream.next();
    co_return "";
  });
  svc.api("later", [](Context& ctx, std::string_view url) {
    ctx.defer([url = std::string(url)](Context& task) { task.fetch(url).get().check(); });
    return std::string("later");
  });
}

class FetchTest : public testing::Test {
 protected:
  bento::testing::Host host_{bento::fakes::kEntry<describe>};
};

TEST_F(FetchTest, AreAnsweredByTheTest) {
  std::vector<FetchCall> calls;
  host_.answer_fetches([&](const FetchCall& call) {
    calls.push_back(call);
    return FetchResponse{.status = 201, .body = " made"};
  });
  EXPECT_EQ(host_.post("/loop", "http://x/a").body, "201 made");
  EXPECT_EQ(host_.post("/thread", "https://x/b").body, " made");
  EXPECT_EQ(host_.post("/stream", "https://x/c").body, "201: made");
  ASSERT_EQ(calls.size(), 3u);
  EXPECT_EQ(calls[0].method + calls[0].url + calls[0].body, "PUThttp://x/asent");
  EXPECT_EQ(calls[0].headers.get("x-two"), "2");
  EXPECT_EQ(calls[0].headers.get("X-Request-Id"), "test-1");
  EXPECT_EQ(calls[0].timeout, 2s);
  EXPECT_EQ(calls[1].method, "GET");
}

TEST_F(FetchTest, FailAsTheTestHasIt) {
  EXPECT_EQ(host_.post("/loop", "http://x/").status, 502);
  host_.answer_fetches([](const FetchCall& call) -> FetchResponse {
    if (call.url == "http://x/late") throw bento::Error(BENTO_DEADLINE_EXCEEDED, "too late");
    return {.status = 503};
  });
  EXPECT_EQ(host_.post("/loop", "http://x/late").status, 504);
  const auto answer = host_.post("/loop", "http://x/path?secret");
  EXPECT_EQ(answer.status, 502);
  EXPECT_THAT(answer.body, HasSubstr("http://x: answered 503"));
  EXPECT_EQ(host_.post("/loop", "no url").status, 500);
  EXPECT_EQ(host_.post("/no_head", "http://x/").status, 500);
  EXPECT_EQ(host_.post("/later", "http://x/").body, "later");
  EXPECT_EQ(host_.failed_tasks(), 1u);
}

TEST_F(FetchTest, TakeTheirTime) {
  host_.answer_fetches([](const FetchCall&) { return FetchResponse{.body = "there"}; });
  host_.set_latency("fetch", 40ms);
  auto exchange = host_.begin({.method = "POST", .target = "/within", .body = "http://x/"});
  host_.advance(39ms);
  EXPECT_FALSE(exchange.has_ended());
  host_.advance(2ms);
  EXPECT_EQ(exchange.response().body, "there");
  host_.set_latency("fetch", 60ms);
  EXPECT_EQ(host_.post("/within", "http://x/").status, 504);
}

}  // namespace
