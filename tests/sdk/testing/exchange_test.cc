// bento::testing::Host: streams, mounts, middleware and background tasks.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> notes;

// ---- streams ---------------------------------------------------------------------------------

void describe_streams(bento::Service& svc) {
  svc.name("streams");
  svc.api("count", {.max_body = 10}, [](bento::Stream& stream) {
    std::string sizes;
    for (std::string_view piece : stream.body()) sizes += std::to_string(piece.size()) + " ";
    stream.start(201, "text/plain", {{"x-a", "1"}});
    stream.end(sizes);
  });
  svc.api("forever", {.method = "GET"}, [](bento::Context& ctx, bento::EventStream& out) {
    while (!ctx.cancelled()) out.send({.data = "tick"});
    notes.push_back("left");
  });
  svc.api("breaks", {.method = "GET"}, [](bento::Stream& stream) {
    stream.send("some");
    throw std::runtime_error("broken");
  });
  svc.api("fails", {.method = "GET"}, [](bento::Stream& stream) {
    stream.start(200, "text/plain");
    throw bento::Error(BENTO_NOT_FOUND, "after all not");
  });
  svc.api("short", {.method = "GET"}, [](bento::Stream& stream) {
    stream.start(200, "text/plain", {{"Content-Length", "10"}});
    stream.send("123");
    stream.end("456");
  });
  svc.api("twice", {.method = "GET"}, [](bento::Stream& stream) {
    stream.start(200, "text/plain");
    stream.start(200, "text/plain");
  });
  svc.api("nothing", {.method = "GET"}, [](bento::Stream&) {});
}

class Streams : public ::testing::Test {
 protected:
  bento::testing::Host host{bento::fakes::kEntry<&describe_streams>};
};

TEST_F(Streams, ABodyComesInPieces) {
  const auto response =
      host.request({.method = "POST", .target = "/count", .body = "0123456", .piece_size = 3});
  EXPECT_EQ(response.status, 201u);
  EXPECT_EQ(response.body, "3 3 1 ");
  EXPECT_EQ(response.headers.get("X-A"), "1");
  EXPECT_EQ(host.post("/count", "").body, "");
  EXPECT_EQ(host.post("/count", "0123456789a").status, 413u);
}

TEST_F(Streams, AClientThatLeavesEndsTheHandler) {
  notes.clear();
  const auto response = host.request({.target = "/forever", .takes = 3});
  EXPECT_EQ(response.body, "data: tick\n\ndata: tick\n\ndata: tick\n\n");
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_THAT(notes, ElementsAre("left"));
}

TEST_F(Streams, HeadHasNoBodyAndEndsTheHandler) {
  const auto response = host.send("HEAD", "/forever", "");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, "");
}

TEST_F(Streams, AnErrorIsTheAnswerUntilThatHasBegunAndThenCutsItOff) {
  EXPECT_EQ(host.get("/fails").status, 404u);
  const auto response = host.get("/breaks");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, "some");
  EXPECT_FALSE(response.is_whole);
  EXPECT_TRUE(host.has_logged("broken"));
}

TEST_F(Streams, AnAnswerIsHeldAgainstItsLength) { EXPECT_FALSE(host.get("/short").is_whole); }

TEST_F(Streams, MisuseIs500) {
  EXPECT_EQ(host.get("/twice").status, 500u);
  EXPECT_EQ(host.get("/nothing").status, 500u);
}

// ---- mounts ----------------------------------------------------------------------------------

bento::Response tell(const bento::Request& request) {
  return {200, "text/plain",
          std::string(request.method) + " " + std::string(request.root_path) + "|" +
              std::string(request.path) + "?" + std::string(request.query) + " " + request.body};
}

void describe_mounts(bento::Service& svc) {
  svc.name("mounts");
  svc.mount("/app", [](const bento::Request& request) { return tell(request); });
  svc.mount("/app/deep", [](bento::Context&, bento::Stream& stream) { stream.end("deep"); });
  svc.mount("/fails", [](const bento::Request&) -> bento::Response {
    throw bento::Error(BENTO_UNAUTHENTICATED, "who are you?");
  });
  svc.files("/files", "www");
  svc.api("api", {.route = "/app/api"}, [](std::string_view) { return "the api"; });
}

TEST(Mounts, AnAppGetsWhatIsBelowItsPrefix) {
  bento::testing::Host host(bento::fakes::kEntry<&describe_mounts>);
  EXPECT_EQ(host.get("/app/a/b?x=1").body, "GET /app|/a/b?x=1 ");
  EXPECT_EQ(host.patch("/app", "abc").body, "PATCH /app|/? abc");
  EXPECT_EQ(host.get("/apple").status, 404u);
}

TEST(Mounts, RoutesGoFirstAndThenTheLongestPrefix) {
  bento::testing::Host host(bento::fakes::kEntry<&describe_mounts>);
  EXPECT_EQ(host.post("/app/api", "").body, "the api");
  EXPECT_EQ(host.get("/app/api").body, "GET /app|/api? ");
  EXPECT_EQ(host.get("/app/deep/x").body, "deep");
}

TEST(Mounts, WhatAnAppThrowsIsTheAnswerAndTheHostsOwnMountsAre501) {
  bento::testing::Host host(bento::fakes::kEntry<&describe_mounts>);
  EXPECT_EQ(host.get("/fails").status, 401u);
  EXPECT_EQ(host.get("/files/a.css").status, 501u);
}

// ---- middleware ------------------------------------------------------------------------------

struct Noting {
  struct State {
    std::string path;
  };
  void on_request(bento::Incoming& request, State& state) const {
    state.path = request.path();
    notes.push_back("request " + std::string(request.body()));
    if (request.request_header("x-deny") == "1") request.answer(403, "text/plain", "denied");
    if (request.request_header("x-deny") == "2") throw bento::Error(BENTO_NOT_FOUND, "hidden");
    if (request.request_header("x-small") == "1") request.limit_body(2);
    if (request.path() == "/old") request.set_path("/echo");
    if (!request.is_streamed() && request.body() == "swap") request.set_body("swapped");
    request.set_header("X-Seen", "yes");
  }
  void on_response(bento::Outgoing& response, State& state) const {
    response.set_header("x-noted", state.path);
    if (response.status() == 404) response.set_status(410);
    if (response.request_header("x-break") == "1") throw std::runtime_error("a broken hook");
    if (response.request_header("x-upper") == "1") response.set_body("UPPER");
  }
  void on_body(bento::Outgoing& response, State&) const {
    notes.push_back("piece " + std::string(response.body()));
    if (response.body() == "bad") throw std::runtime_error("a bad piece");
    response.set_body("(" + std::string(response.body()) + ")");
  }
  void on_end(State& state) const { notes.push_back("end " + state.path); }
};

void describe_wrapped(bento::Service& svc) {
  svc.name("wrapped");
  svc.use("outer", [](bento::Call& call, const bento::Next& next) {
    notes.push_back("outer");
    call.on_response_start([](bento::ResponseStart& r) { r.headers.set("x-outer", "1"); });
    if (call.header("x-pass") == "1") return next(call);
    try {
      next(call);
    } catch (const bento::Error& error) {
      call.respond(418, "text/plain", error.what());
    }
  });
  svc.use("noting", Noting());
  svc.use("inner", [](bento::Call& call, const bento::Next& next) {
    notes.push_back("inner " + std::string(call.header("x-seen")));
    if (call.header("x-skip") == "1") return call.respond(200, "text/plain", "skipped");
    if (call.header("x-forget") == "1") return;
    call.set_query("q=1");
    next(call);
    notes.push_back("after " + std::string(bento::Headers(call.scope().headers).get("x-seen")));
  });
  svc.api("echo", [](bento::Context& ctx, std::string_view text) {
    return std::string(text) + " " + std::string(ctx.header("x-seen")) + " " +
           std::string(bento::detail::view(ctx.scope().query));
  });
  svc.api("fail",
          [](std::string_view) -> std::string { throw std::runtime_error("a broken handler"); });
  svc.api("pieces", {.method = "GET"}, [](bento::Context& ctx, bento::Stream& stream) {
    stream.send("a");
    stream.send("b");
    if (ctx.header("x-bad") == "1") stream.send("bad");
    stream.end("c");
  });
  svc.api("upload", [](bento::Stream& stream) {
    std::size_t size = 0;
    for (std::string_view piece : stream.body()) size += piece.size();
    stream.end(std::to_string(size));
  });
}

class Middleware : public ::testing::Test {
 protected:
  Middleware() { notes.clear(); }
  bento::testing::Host host{bento::fakes::kEntry<&describe_wrapped>};
};

TEST_F(Middleware, TheFirstIsOutermostAndEachSeesTheExchange) {
  const auto response = host.post("/echo", "hi");
  EXPECT_EQ(response.body, "hi yes q=1");
  EXPECT_EQ(response.headers.get("x-outer"), "1");
  EXPECT_EQ(response.headers.get("x-noted"), "/echo");
  EXPECT_THAT(notes, ElementsAre("outer", "request hi", "inner yes", "after yes", "end /echo"));
}

TEST_F(Middleware, AHookAnswersAndNothingIsPassedOn) {
  const auto response = host.post("/echo", "hi", {{"x-deny", "1"}});
  EXPECT_EQ(response.status, 403u);
  EXPECT_EQ(response.body, "denied");
  EXPECT_EQ(response.headers.get("x-noted"), "");
  EXPECT_EQ(response.headers.get("x-outer"), "1");
  EXPECT_THAT(notes, ElementsAre("outer", "request hi", "end /echo"));
  EXPECT_EQ(host.post("/echo", "hi", {{"x-deny", "2"}}).status, 404u);
}

TEST_F(Middleware, AHookChangesTheRequestAndItIsRoutedAnew) {
  EXPECT_EQ(host.post("/old", "swap").body, "swapped yes q=1");
}

TEST_F(Middleware, AHookChangesTheResponseAlsoThatOfAnError) {
  EXPECT_EQ(host.post("/echo", "hi", {{"x-upper", "1"}}).body, "UPPER");
  const auto response = host.get("/nothing");
  EXPECT_EQ(response.status, 410u);
  EXPECT_EQ(response.headers.get("x-noted"), "/nothing");
  EXPECT_EQ(response.headers.get("x-outer"), "1");
}

TEST_F(Middleware, AHookThatFailsIs500OrCutsTheAnswerOff) {
  const auto response = host.post("/echo", "hi", {{"x-break", "1"}});
  EXPECT_EQ(response.status, 418u) << "the outer one made its own of the 500";
  EXPECT_EQ(response.body, "a broken hook");
  const auto cut = host.get("/pieces", {{"x-bad", "1"}});
  EXPECT_EQ(cut.body, "a(b)");
  EXPECT_FALSE(cut.is_whole);
}

TEST_F(Middleware, AFailureFromInsideMayBeAnsweredOutsideOrPassedOn) {
  const auto answered = host.post("/fail", "hi");
  EXPECT_EQ(answered.status, 418u);
  EXPECT_EQ(answered.body, "a broken handler");
  const auto passed = host.post("/fail", "hi", {{"x-pass", "1"}});
  EXPECT_EQ(passed.status, 500u);
  EXPECT_EQ(passed.headers.get("x-noted"), "/fail") << "as the hooks have left it";
}

TEST_F(Middleware, HooksSeeEachPieceOfAStream) {
  const auto response = host.get("/pieces");
  EXPECT_EQ(response.body, "a(b)(c)");
  EXPECT_TRUE(response.is_whole);
  EXPECT_THAT(notes, ElementsAre("outer", "request ", "inner yes", "piece b", "piece c",
                                 "after yes", "end /pieces"));
}

TEST_F(Middleware, ABodyIsBoundedWhetherStreamedOrNot) {
  EXPECT_EQ(host.post("/echo", "hiho", {{"x-small", "1"}}).status, 413u);
  EXPECT_EQ(host.post("/upload", "hiho", {{"x-small", "1"}}).status, 413u);
  EXPECT_EQ(host.post("/upload", "hi", {{"x-small", "1"}}).body, "2");
}

TEST_F(Middleware, OneThatWaitsAnswersByItself) {
  EXPECT_EQ(host.post("/echo", "hi", {{"x-skip", "1"}}).body, "skipped");
}

TEST_F(Middleware, MisuseIs500) {
  const auto response = host.post("/echo", "hi", {{"x-forget", "1"}, {"x-pass", "1"}});
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("returned without an answer"));
}

void describe_seeing(bento::Service& svc) {
  svc.name("seeing");
  svc.use("sees", [](bento::Call& call, const bento::Next& next) {
    call.on_response_start([](bento::ResponseStart& start) {
      start.headers.set("X-Seen", std::to_string(start.status));
    });
    try {
      next(call);
    } catch (const bento::Error&) {
      if (call.header("X-MEND") == "yes") return call.respond(200, "text/plain", "mended");
      throw;
    }
  });
  svc.api("says", [](std::string_view text) -> std::string {
    if (text == "busy") throw bento::Error(BENTO_UNAVAILABLE, "no worker");
    return std::string(text);
  });
}

TEST(SeeingMiddleware, OneThatWaitsSeesThe5xxFromInsideAndMayAnswerInItsPlace) {
  bento::testing::Host host(bento::fakes::kEntry<&describe_seeing>);
  EXPECT_EQ(host.post("/says", "x").headers.get("X-Seen"), "200");
  const auto seen = host.post("/says", "busy");
  EXPECT_EQ(seen.status, 503u);
  EXPECT_EQ(seen.headers.get("X-Seen"), "503");
  EXPECT_EQ(seen.headers.get("Retry-After"), "1");
  const auto mended = host.post("/says", "busy", {{"X-Mend", "yes"}});
  EXPECT_EQ(mended.status, 200u);
  EXPECT_EQ(mended.body, "mended");
  EXPECT_FALSE(mended.headers.has("X-Seen"));
}

void describe_careless(bento::Service& svc) {
  svc.name("careless");
  svc.use("twice", [](bento::Call& call, const bento::Next& next) {
    next(call);
    next(call);
  });
  svc.api("echo", [](std::string_view text) { return std::string(text); });
}

TEST(CarelessMiddleware, NextIsCalledOnceAlone) {
  bento::testing::Host host(bento::fakes::kEntry<&describe_careless>);
  EXPECT_EQ(host.post("/echo", "hi").body, "hi");
  EXPECT_TRUE(host.has_logged("next was called twice"));
}

// ---- background tasks ------------------------------------------------------------------------

void describe_tasks(bento::Service& svc) {
  svc.name("tasks");
  auto runner = svc.runner<int>("runner");
  auto shout =
      runner.method("shout", [](int&, std::string_view text) { return std::string(text) + "!"; });
  svc.api("three", [=](bento::Context&, std::string_view text) {
    bento::BackgroundTasks tasks;
    tasks.add_task([](const std::string& word) { notes.push_back("one " + word); },
                   std::string(text));
    tasks.add_task([=](bento::Context& ctx) {
      if (!ctx.header("content-length").empty()) throw std::logic_error("it has headers");
      notes.push_back(shout.run(ctx, "two"));
      ctx.log(bento::Log::kInfo, "second of " + std::string(ctx.request_id()));
    });
    tasks.add_task([] { notes.push_back("three"); });
    notes.push_back("answer");
    return bento::TaskResponse{std::string("ok"), std::move(tasks)};
  });
  svc.api("failing", [](bento::Context& ctx, std::string_view) -> std::string {
    ctx.defer([] { notes.push_back("before"); });
    ctx.defer([] { throw std::runtime_error("a failed task"); });
    ctx.defer([held = std::make_shared<int>(1)] { notes.push_back("after"); });
    throw bento::Error(BENTO_NOT_FOUND, "none");
  });
  svc.api("coroutines", [=](bento::Context& ctx, std::string_view text) {
    ctx.defer(
        [=](bento::Context& task, const std::string& word) -> bento::Async<> {
          notes.push_back(co_await shout.async_run(task, word));
          co_await bento::sleep(task, std::chrono::hours(1));
          notes.push_back("an hour later");
        },
        std::string(text));
    ctx.defer([] { notes.push_back("then a thread"); });
    return "ok";
  });
  svc.api("nested", [](bento::Context& ctx, std::string_view) {
    ctx.defer([](bento::Context& task) { task.defer([] {}); });
    return "ok";
  });
}

class Tasks : public ::testing::Test {
 protected:
  Tasks() { notes.clear(); }
  bento::testing::Host host{bento::fakes::kEntry<&describe_tasks>};
};

TEST_F(Tasks, RunInOrderAfterTheAnswer) {
  const auto response = host.post("/three", "word");
  EXPECT_EQ(response.body, "ok");
  EXPECT_THAT(notes, ElementsAre("answer", "one word", "two!", "three"));
  EXPECT_EQ(host.tasks(), 3u);
  EXPECT_EQ(host.failed_tasks(), 0u);
  EXPECT_TRUE(host.has_logged("second of " + std::string(response.headers.get("x-request-id"))));
}

TEST_F(Tasks, TheFirstThatFailsEndsTheRowAndTheAnswerIsNotTouched) {
  EXPECT_EQ(host.post("/failing", "").status, 404u);
  EXPECT_THAT(notes, ElementsAre("before"));
  EXPECT_EQ(host.tasks(), 1u);
  EXPECT_EQ(host.failed_tasks(), 1u);
  EXPECT_EQ(host.dropped_tasks(), 1u);
  EXPECT_TRUE(host.has_logged("a failed task"));
}

TEST_F(Tasks, ATaskDefersNoOthers) {
  EXPECT_EQ(host.post("/nested", "").body, "ok");
  EXPECT_EQ(host.failed_tasks(), 1u);
}

TEST_F(Tasks, ACoroutineHoldsUpTheTasksBehindIt) {
  auto exchange = host.begin({.method = "POST", .target = "/coroutines", .body = "hi"});
  host.settle();
  EXPECT_THAT(notes, ElementsAre("hi!"));
  host.advance(std::chrono::minutes(59));
  EXPECT_THAT(notes, ElementsAre("hi!"));
  EXPECT_FALSE(exchange.has_ended());
  host.advance(std::chrono::minutes(1));
  EXPECT_THAT(notes, ElementsAre("hi!", "an hour later", "then a thread"));
  EXPECT_TRUE(exchange.has_ended());
  EXPECT_EQ(host.tasks(), 2u);
}

TEST(TasksAtTheEnd, ACoroutineThatWaitsIsCancelled) {
  notes.clear();
  {
    bento::testing::Host host(bento::fakes::kEntry<&describe_tasks>);
    (void)host.begin({.method = "POST", .target = "/coroutines", .body = "hi"});
    host.settle();
  }
  EXPECT_THAT(notes, ElementsAre("hi!"));
}

TEST(TasksBound, BeyondItTheRequestIs503) {
  notes.clear();
  bento::testing::Host host(bento::fakes::kEntry<&describe_tasks>, {.max_background = 2});
  EXPECT_EQ(host.post("/three", "word").status, 503u);
  EXPECT_THAT(notes, ElementsAre("answer", "one word", "two!"));
}

}  // namespace
