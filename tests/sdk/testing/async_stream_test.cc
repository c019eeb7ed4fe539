// Streams, events, generators and Routers whose handlers are coroutines, run by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <chrono>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct Point {
  int x = 0, y = 0;
};
BENTO_FIELDS(Point, x, y)

std::vector<std::string> notes;
struct Noted {
  explicit Noted(std::string n) : name(std::move(n)) {}
  Noted(const Noted&) = delete;
  ~Noted() { notes.push_back("~" + name); }
  std::string name;
};

bento::Router make_router() {
  bento::Router app;
  app.get("/items/{id}",
          [](bento::Context& ctx, const bento::PathParams& path,
             bento::Query query) -> bento::Async<std::string> {
            const std::string text = std::string(path.get("id")) + query.get("q", std::string());
            co_await bento::sleep(ctx, 1s);
            co_return text;
          });
  app.post("/points", [](Point point) -> bento::Async<Point> { co_return point; });
  app.post("/none", [](bento::Context& ctx) -> bento::Async<> { co_await bento::sleep(ctx, 1s); });
  app.post("/echo", [](const bento::Request& request) -> bento::Async<bento::Response> {
    co_return bento::Response{.status = 201, .body = request.body};
  });
  app.post("/line", [](Point point, bento::AsyncEventStream& out) -> bento::Async<> {
    for (int x = 0; x < point.x; ++x) co_await out.send({.data = std::to_string(x)});
  });
  app.post("/points/below", [](Point point) -> bento::Generator<Point> {
    for (int x = 0; x < point.x; ++x) co_yield Point{x, point.y};
  });
  app.post("/task", [](std::string text) -> bento::Async<bento::TaskResponse<std::string>> {
    co_return bento::TaskResponse{text, [] { notes.emplace_back("task"); }};
  });
  app.get("/fails", [](bento::Context& ctx) -> bento::Async<std::string> {
    co_await bento::sleep(ctx, 1ms);
    throw bento::Error(BENTO_NOT_FOUND, "not there");
  });
  app.get("/thread", [] { return "from a thread"; });
  app.get("/threads/{id}",
          [](const bento::PathParams& path) { return std::string(path.get("id")); });
  return app;
}

void describe(bento::Service& svc) {
  svc.name("streams");
  svc.api("upper", [](bento::AsyncStream& stream) -> bento::Async<> {
    const Noted noted("upper");
    while (const auto piece = co_await stream.receive()) {
      std::string text(*piece);
      for (char& c : text) c = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
      co_await stream.send(text);
    }
  });
  svc.api("count", {.max_body = 10}, [](bento::AsyncStream& stream) -> bento::Async<> {
    std::size_t n = 0;
    while (const auto piece = co_await stream.receive()) n += piece->size();
    stream.start(201, "text/plain", {{"x-a", "1"}});
    co_await stream.end(std::to_string(n));
  });
  svc.api("ticks", {.method = "GET"},
          [](bento::Context& ctx, bento::AsyncEventStream& out) -> bento::Async<> {
            const Noted noted("ticks");
            co_await out.open();
            for (int i = 0;; ++i) {
              co_await bento::sleep(ctx, 1s);
              co_await out.send({.data = std::to_string(i), .event = "tick"});
            }
          });
  svc.api("no_events", {.method = "GET"},
          [](bento::AsyncEventStream&) -> bento::Async<> { co_return; });
  svc.api("fill", {.method = "GET"}, [](bento::AsyncStream& stream) -> bento::Async<> {
    for (int i = 0; i < 10; ++i) {
      co_await stream.send("piece " + std::to_string(i) + "\n");
      notes.push_back(std::to_string(i));
    }
  });
  svc.api("breaks", {.method = "GET"},
          [](bento::Context& ctx, bento::AsyncStream& stream) -> bento::Async<> {
            co_await stream.send("some");
            co_await bento::sleep(ctx, 1s);
            throw std::runtime_error("broken");
          });
  svc.api("fails", {.method = "GET"}, [](bento::AsyncStream& stream) -> bento::Async<> {
    stream.start(200, "text/plain");
    throw bento::Error(BENTO_NOT_FOUND, "after all not");
    co_return;
  });
  svc.api("silent", {.method = "GET"}, [](bento::AsyncStream&) -> bento::Async<> { co_return; });
  svc.api("bad_event", {.method = "GET"}, [](bento::AsyncEventStream& out) -> bento::Async<> {
    co_await out.send({.data = "a", .id = "1\n2"});
  });

  svc.api("words", [](bento::Context& ctx, std::string text) -> bento::Generator<bento::Event> {
    const Noted noted("words");
    for (const char c : text) {
      const std::string letter(1, c);
      co_yield {.data = letter, .event = "letter"};
      co_await bento::sleep(ctx, 10ms);
    }
  });
  svc.api("points", [](Point point) -> bento::Generator<Point> {
    if (point.x < 0) throw bento::Error(BENTO_INVALID_ARGUMENT, "no such points");
    for (int x = 0; x < point.x; ++x) co_yield Point{x, point.y};
    if (point.y < 0) throw std::runtime_error("below");
  });
  svc.api("json", [](bento::Json json) -> bento::Generator<bento::Json> {
    co_yield json;
    co_yield bento::Json{"[1,\n2]"};
  });
  svc.api("texts", [](bento::Context&) -> bento::Generator<std::string> {
    co_yield "one ";
    co_yield std::string("two");
  });
  svc.api("bytes", [](bento::Bytes given) -> bento::Generator<bento::Bytes> {
    co_yield bento::Bytes{given.data, "image/x"};
    co_yield bento::Bytes{given.mime, ""};
  });
  svc.mount("/web", make_router());
  svc.mount("/echo", [](bento::AsyncStream& stream) -> bento::Async<> {
    while (const auto piece = co_await stream.receive()) co_await stream.send(*piece);
  });
}

class AsyncStreams : public ::testing::Test {
 protected:
  AsyncStreams() { notes.clear(); }
  bento::testing::Host host{bento::fakes::kEntry<&describe>};
};

TEST_F(AsyncStreams, ABodyComesAndGoesInPieces) {
  auto exchange = host.begin({.method = "POST", .target = "/upper", .gives_body = true});
  EXPECT_EQ(exchange.so_far().status, 0u);
  exchange.give("ab");
  host.settle();
  EXPECT_EQ(exchange.so_far().body, "AB");
  EXPECT_FALSE(exchange.has_ended());
  exchange.give("c");
  exchange.give("");  // no bytes: no piece
  exchange.end_body();
  host.settle();
  EXPECT_EQ(exchange.response().body, "ABC");
  EXPECT_TRUE(exchange.response().is_whole);
  EXPECT_EQ(host.post("/upper", "abc").body, "ABC");
  EXPECT_EQ(
      host.request({.method = "POST", .target = "/upper", .body = "abc", .piece_size = 1}).body,
      "ABC");
}

TEST_F(AsyncStreams, AWholeAnswerHasItsStatusAndHeaders) {
  const auto response = host.post("/count", "12345");
  EXPECT_EQ(response.status, 201u);
  EXPECT_EQ(response.headers.get("x-a"), "1");
  EXPECT_EQ(response.body, "5");
  EXPECT_EQ(host.post("/count", "12345678901").status, 413u);
}

TEST_F(AsyncStreams, SendsNoMoreThanTheClientHasRoomFor) {
  auto exchange = host.begin({.target = "/fill", .room = 2});
  host.settle();
  EXPECT_THAT(notes, ElementsAre("0", "1"));
  exchange.take(1);
  host.settle();
  EXPECT_THAT(notes, ElementsAre("0", "1", "2"));
  exchange.take(100);
  host.settle();
  EXPECT_EQ(exchange.response().body.size(), 80u);
}

TEST_F(AsyncStreams, EventsComeWhenTheyAreDue) {
  auto exchange = host.begin({.target = "/ticks"});
  host.settle();
  EXPECT_EQ(exchange.so_far().status, 200u);
  EXPECT_EQ(exchange.so_far().headers.get("content-type"), "text/event-stream");
  EXPECT_EQ(exchange.so_far().body, "");
  host.advance(1999ms);
  EXPECT_EQ(exchange.so_far().body, "event: tick\ndata: 0\n\n");
  host.advance(100s);  // an answer that has begun has no deadline
  EXPECT_THAT(exchange.so_far().body, HasSubstr("data: 100\n"));
  exchange.leave();
  host.settle();
  EXPECT_TRUE(exchange.has_ended());
  EXPECT_FALSE(exchange.response().is_whole);
  EXPECT_THAT(notes, ElementsAre("~ticks"));
  EXPECT_TRUE(host.log().empty()) << host.log().front().message;
}

TEST_F(AsyncStreams, AClientThatLeavesWhileItSendsUnwindsTheHandler) {
  auto waiting = host.begin({.method = "POST", .target = "/upper", .gives_body = true});
  waiting.give("abc");
  host.settle();
  waiting.leave();
  host.settle();
  EXPECT_TRUE(waiting.has_ended());
  EXPECT_THAT(notes, ElementsAre("~upper"));
  auto full = host.begin({.target = "/fill", .room = 1});
  host.settle();
  full.leave();
  host.settle();
  EXPECT_TRUE(full.has_ended());
  const auto partly = host.request({.target = "/ticks", .takes = 3});
  EXPECT_FALSE(partly.is_whole);
  EXPECT_THAT(partly.body, HasSubstr("data: 2\n"));
}

TEST_F(AsyncStreams, AnErrorIsTheAnswerOrCutsItOff) {
  EXPECT_EQ(host.get("/fails").status, 404u);
  const auto broken = host.get("/breaks");
  EXPECT_EQ(broken.status, 200u);
  EXPECT_EQ(broken.body, "some");
  EXPECT_FALSE(broken.is_whole);
  EXPECT_TRUE(host.has_logged("broken"));
  EXPECT_EQ(host.get("/silent").status, 500u);
  EXPECT_EQ(host.get("/bad_event").status, 500u);
  const auto none = host.get("/no_events");
  EXPECT_EQ(none.status, 200u);
  EXPECT_EQ(none.content_type, "text/event-stream");
  EXPECT_EQ(host.send("HEAD", "/fill", "").status, 200u);
}

// ---- generators ------------------------------------------------------------------------------

TEST_F(AsyncStreams, AGeneratorOfEventsSendsThemAsTheyAreYielded) {
  auto exchange = host.begin({.method = "POST", .target = "/words", .body = "abc"});
  host.advance(15ms);
  EXPECT_EQ(exchange.so_far().body, "event: letter\ndata: a\n\nevent: letter\ndata: b\n\n");
  host.advance(15ms);
  EXPECT_THAT(exchange.response().body, HasSubstr("data: c\n"));
  EXPECT_TRUE(exchange.response().is_whole);
  EXPECT_EQ(host.post("/words", "").content_type, "text/event-stream");
}

TEST_F(AsyncStreams, AGeneratorIsDestroyedWhereItHasYieldedOrUnwoundWhereItWaits) {
  auto full = host.begin({.method = "POST", .target = "/words", .body = "abc", .room = 0});
  host.settle();
  full.leave();
  host.settle();
  EXPECT_TRUE(full.has_ended());
  EXPECT_THAT(notes, ElementsAre("~words"));
  auto waiting = host.begin({.method = "POST", .target = "/words", .body = "abc"});
  host.settle();
  waiting.leave();
  host.settle();
  EXPECT_TRUE(waiting.has_ended());
  EXPECT_THAT(notes, ElementsAre("~words", "~words"));
}

TEST_F(AsyncStreams, AGeneratorsValuesAreLinesOrBytesByTheirType) {
  const auto points = host.post("/points", R"({"x":2,"y":3})");
  EXPECT_EQ(points.content_type, "application/x-ndjson");
  EXPECT_EQ(points.body, "{\"x\":0,\"y\":3}\n{\"x\":1,\"y\":3}\n");
  EXPECT_EQ(host.post("/points", R"({"x":0,"y":3})").body, "");
  EXPECT_EQ(host.post("/points", R"({"x":"a"})").status, 422u);
  EXPECT_EQ(host.post("/json", R"({"a":1})").body, "{\"a\":1}\n[1, 2]\n");
  EXPECT_EQ(host.post("/json", "{").status, 400u);
  EXPECT_EQ(host.post("/texts", "").body, "one two");
  EXPECT_EQ(host.post("/texts", "").content_type, "text/plain; charset=utf-8");
  const auto bytes = host.post("/bytes", "\x01\x02", {{"content-type", "a/b"}});
  EXPECT_EQ(bytes.body,
            "\x01\x02"
            "a/b");
  EXPECT_EQ(bytes.content_type, "image/x");
}

TEST_F(AsyncStreams, AGeneratorsErrorIsTheAnswerOrCutsItOff) {
  EXPECT_EQ(host.post("/points", R"({"x":-1,"y":3})").status, 400u);
  const auto cut = host.post("/points", R"({"x":2,"y":-1})");
  EXPECT_EQ(cut.status, 200u);
  EXPECT_FALSE(cut.is_whole);
}

// ---- apps ------------------------------------------------------------------------------------

TEST_F(AsyncStreams, ARouterHasCoroutinesBesideThreads) {
  EXPECT_EQ(host.get("/web/items/7?q=x").body, "7x");
  EXPECT_EQ(host.post("/web/points", R"({"x":1,"y":2})").body, R"({"x":1,"y":2})");
  EXPECT_EQ(host.post("/web/points", R"({"x":1})").status, 422u);
  EXPECT_EQ(host.post("/web/none", "").status, 204u);
  EXPECT_EQ(host.post("/web/echo", "abc").status, 201u);
  EXPECT_EQ(host.post("/web/echo", "abc").body, "abc");
  EXPECT_EQ(host.post("/web/line", R"({"x":2,"y":0})").body, "data: 0\n\ndata: 1\n\n");
  EXPECT_EQ(host.post("/web/points/below", R"({"x":2,"y":0})").content_type,
            "application/x-ndjson");
  EXPECT_EQ(host.post("/web/task", "abc").body, "abc");
  EXPECT_THAT(notes, ElementsAre("task"));
  EXPECT_EQ(host.get("/web/fails").status, 404u);
  EXPECT_EQ(host.get("/web/thread").body, "from a thread");
  EXPECT_EQ(host.get("/web/threads/7").body, "7");
  EXPECT_EQ(host.get("/web/nowhere").status, 404u);
  EXPECT_EQ(host.post("/web/thread", "").status, 405u);
  EXPECT_EQ(host.send("HEAD", "/web/items/7", "").status, 200u);
  auto exchange = host.begin({.target = "/web/items/7"});
  host.advance(999ms);
  EXPECT_FALSE(exchange.has_ended());
  exchange.leave();
  host.settle();
  EXPECT_TRUE(exchange.has_ended());
}

TEST_F(AsyncStreams, AnAppMayBeACoroutine) { EXPECT_EQ(host.post("/echo/x", "abc").body, "abc"); }

// ---- behind middleware, and threads by hand --------------------------------------------------

void describe_wrapped(bento::Service& svc) {
  svc.name("wrapped");
  svc.use("stamp", [](bento::Call& call, const bento::Next& next) {
    call.on_response_start([](bento::ResponseStart& start) { start.headers.set("x-stamp", "1"); });
    next(call);
    notes.emplace_back("outside");
  });
  svc.api("nap", [](bento::Context& ctx) -> bento::Async<std::string> {
    co_await bento::sleep(ctx, 1s);
    co_return "rested";
  });
  svc.api("upper", [](bento::Stream& stream) {
    for (const std::string_view piece : stream.body()) {
      stream.send("<" + std::string(piece) + ">");
    }
  });
}

TEST(AsyncBehindMiddleware, IsRunByHandToo) {
  notes.clear();
  bento::testing::Host host(bento::fakes::kEntry<&describe_wrapped>);
  auto exchange = host.begin({.method = "POST", .target = "/nap"});
  host.advance(999ms);
  EXPECT_FALSE(exchange.has_ended());
  EXPECT_THAT(notes, ElementsAre());
  host.advance(1ms);
  EXPECT_EQ(exchange.response().body, "rested");
  EXPECT_EQ(exchange.response().headers.get("x-stamp"), "1");
  EXPECT_THAT(notes, ElementsAre("outside"));
}

TEST(AsyncBehindMiddleware, AThreadsStreamIsRunByHandToo) {
  bento::testing::Host host(bento::fakes::kEntry<&describe_wrapped>);
  auto exchange = host.begin({.method = "POST", .target = "/upper", .gives_body = true, .room = 1});
  exchange.give("a");
  host.settle();
  EXPECT_EQ(exchange.so_far().body, "<a>");
  exchange.give("b");
  host.settle();
  EXPECT_EQ(exchange.so_far().body, "<a>");
  exchange.take(1);
  exchange.end_body();
  host.turn();
  EXPECT_EQ(exchange.response().body, "<a><b>");
}

}  // namespace
