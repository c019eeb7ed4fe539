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

  svc.api("shout", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    const Noted noted("shout");
    co_return co_await shout.async_run(ctx, text);
  });
  svc.api("two", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    auto a = shout.async_run(ctx, text);
    auto b = whisper.async_run(ctx, text);
    co_return co_await a + co_await b;
  });
  svc.api("nested", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    co_return co_await shout_twice(ctx, shout, std::string(text));
  });
  svc.api("nothing", [](bento::Context&) -> bento::Async<std::string> { co_return "done"; });
  svc.api("teapot", [](bento::Context& ctx) -> bento::Async<std::string> {
    ctx.set_status(202);
    ctx.add_header("x-by", "a coroutine");
    co_return "short and stout";
  });
  svc.api("within", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    co_return co_await shout.async_run(ctx, text).within(50ms);
  });
  svc.api("within_or",
          [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
            try {
              co_return co_await shout.async_run(ctx, text).within(50ms);
            } catch (const bento::Error& error) {
              notes.emplace_back(error.what());
            }
            co_return co_await whisper.async_run(ctx, text);
          });
  svc.api("blocks", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    co_return shout.run(ctx, text);
  });
  svc.api("tasks", [](std::string_view text) -> bento::Async<bento::TaskResponse<std::string>> {
    co_return bento::TaskResponse{std::string(text), [] { notes.emplace_back("task"); }};
  });
  svc.api("nap", [](bento::Context& ctx) -> bento::Async<std::string> {
    const Noted noted("nap");
    co_await bento::sleep(ctx, 1s);
    notes.emplace_back("woke");
    co_await bento::sleep(ctx, 1s);
    co_return "rested";
  });
  svc.api("stubborn", [](bento::Context& ctx) -> bento::Async<std::string> {
    for (int i = 0; i < 3; ++i) {
      try {
        co_await bento::sleep(ctx, 10s);
      } catch (const bento::Error& error) {
        notes.push_back(std::to_string(error.code()));
      }
    }
    co_return "late";
  });

  svc.api("all", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    auto [a, b, nothing, n] =
        co_await bento::all(shout.async_run(ctx, text), shout_twice(ctx, shout, "x"),
                            bento::sleep(ctx, 1s), bento::on_thread(ctx, [] { return 7; }));
    static_assert(std::is_same_v<decltype(nothing), std::monostate>);
    co_return a + b + std::to_string(n);
  });
  svc.api("all_fail", [=](bento::Context& ctx) -> bento::Async<std::string> {
    const auto nap = [](bento::Context& c) -> bento::Async<> {
      const Noted noted("other");
      co_await bento::sleep(c, 100s);
    };
    co_await bento::all(nap(ctx), shout.async_run(ctx, ""), nap(ctx));
    co_return "never";
  });
  svc.api("all_of", [=](bento::Context& ctx, std::string_view n) -> bento::Async<std::string> {
    std::vector<bento::Future<std::string>> calls;
    for (int i = 0; i < std::stoi(std::string(n)); ++i) {
      calls.push_back(shout.async_run(ctx, std::to_string(i)));
    }
    std::string text;
    for (const std::string& each : co_await bento::all(calls)) text += each;
    co_return text;
  });
  svc.api("first", [=](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    const auto slow = [](bento::Context& c, Shout s, std::string t) -> bento::Async<std::string> {
      const Noted noted("slow");
      co_await bento::sleep(c, 20ms);
      co_return co_await s.async_run(c, t);
    };
    auto won = co_await bento::first(slow(ctx, whisper, std::string(text)), bento::sleep(ctx, 10s),
                                     shout.async_run(ctx, text));
    notes.emplace_back("decided");
    co_return won.index() == 0 ? "0 " + std::get<0>(won)
    : won.index() == 2         ? "2 " + std::get<2>(won)
                               : "1";
  });
  svc.api("first_of_firsts", [=](bento::Context& ctx) -> bento::Async<std::string> {
    const auto inner = [](bento::Context& c) -> bento::Async<> {
      const Noted noted("inner");
      co_await bento::first(bento::sleep(c, 5s), bento::sleep(c, 6s));
      notes.emplace_back("not cancelled");
    };
    const auto won = co_await bento::first(inner(ctx), bento::sleep(ctx, 1s));
    co_return std::to_string(won.index());
  });
  svc.api("first_and_thread", [=](bento::Context& ctx) -> bento::Async<std::string> {
    const auto works = [](bento::Context& c) -> bento::Async<> {
      std::string local = "a local";
      co_await bento::on_thread(c, [&local] { notes.push_back("work on " + local); });
      notes.emplace_back("not cancelled");
    };
    const auto at_once = []() -> bento::Async<> { co_return; };
    const auto won = co_await bento::first(works(ctx), at_once());
    notes.emplace_back("decided");
    co_return std::to_string(won.index());
  });

  svc.api("thread", [](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    std::string whole(text);
    co_await bento::on_thread(ctx, [&] { whole += " on a thread"; });
    co_return co_await bento::on_thread(ctx, [&]() -> std::string {
      if (whole.starts_with("bad")) throw bento::Error(BENTO_NOT_FOUND, "no " + whole);
      return whole + "!";
    });
  });
  svc.api("promise", [](bento::Context& ctx, std::string_view text) -> bento::Async<std::string> {
    bento::Promise<std::string> promise(ctx);
    std::thread other([resolver = promise.resolver(), text = std::string(text)] {
      if (text == "broken") return;
      if (text == "failed") {
        resolver.fail(bento::Error(BENTO_NOT_FOUND, "no answer"));
        return;
      }
      EXPECT_TRUE(resolver.resolve(text + " from a thread"));
      EXPECT_FALSE(resolver.resolve("again"));
    });
    std::exception_ptr failure;
    std::string result;
    try {
      result = co_await promise;
    } catch (...) {
      failure = std::current_exception();
    }
    other.join();
    if (failure) std::rethrow_exception(failure);
    co_return result;
  });

  // Errors, before the first wait and after it.
  svc.api("throws", [=](bento::Context& ctx, std::string_view what) -> bento::Async<std::string> {
    if (what.starts_with("late ")) {
      co_await shout.async_run(ctx, "a");
      what.remove_prefix(5);
    }
    if (what == "error") throw bento::Error(BENTO_NOT_FOUND, "there is no such thing");
    if (what == "status") throw bento::Error(BENTO_INTERNAL, "a teapot", 418);
    if (what == "exception") throw std::runtime_error("out of luck");
    if (what == "int") throw 17;
    if (what == "memory") throw std::bad_alloc();
    co_return "fine";
  });
  svc.api("million", [=](bento::Context& ctx) -> bento::Async<std::string> {
    const auto one = []() -> bento::Async<int> { co_return 1; };
    const auto many = []() -> bento::Generator<int> {
      for (int i = 0; i < 1'000'000; ++i) co_yield 1;
    };
    int n = 0;
    for (int i = 0; i < 1'000'000; ++i) n += co_await one();
    auto generator = many();
    while (const int* each = co_await generator.next()) n += *each;
    for (int i = 0; i < 100'000; ++i) {
      auto [a, b] = co_await bento::all(one(), one());
      n += a + b;
    }
    auto call = shout.async_run(ctx, "a");
    for (int i = 0; i < 100'000; ++i) {
      bento::Promise<int> promise(ctx);
      promise.resolver().resolve(1);
      if (i % 10'000 == 0) n += co_await promise;
    }
    co_return co_await call + std::to_string(n);
  });
}

class AsyncApi : public ::testing::Test {
 protected:
  AsyncApi() { notes.clear(); }
  bento::testing::Exchange begin(std::string target, std::string body = {}) {
    return host.begin({.method = "POST", .target = std::move(target), .body = std::move(body)});
  }
  bento::testing::Host host{bento::fakes::kEntry<&describe>};
};

TEST_F(AsyncApi, AnswersWhenTheRunnerHasAnsweredAndNotBefore) {
  auto exchange = begin("/shout", "hi");
  EXPECT_FALSE(exchange.has_ended());
  EXPECT_EQ(exchange.so_far().status, 0u);
  EXPECT_THROW(exchange.response(), bento::Error);
  host.settle();
  EXPECT_EQ(exchange.response().body, "hi!");
  EXPECT_EQ(exchange.response().content_type, "text/plain; charset=utf-8");
}

TEST_F(AsyncApi, IsAlsoAnsweredWithoutAHand) {
  EXPECT_EQ(host.post("/shout", "hi").body, "hi!");
  EXPECT_EQ(host.post("/two", "hi").body, "hi!(hi)");
  EXPECT_EQ(host.post("/nested", "hi").body, "hi!!");
  EXPECT_EQ(host.post("/nothing", "").body, "done");
  const auto teapot = host.post("/teapot", "");
  EXPECT_EQ(teapot.status, 202u);
  EXPECT_EQ(teapot.headers.get("x-by"), "a coroutine");
}

TEST_F(AsyncApi, CallsOfSeveralRequestsAndOfOneOverlap) {
  host.set_latency("shouter.shout", 100ms);
  host.set_latency("shouter.whisper", 100ms);
  auto one = begin("/two", "a"), other = begin("/two", "b");
  host.advance(99ms);
  EXPECT_FALSE(one.has_ended() || other.has_ended());
  host.advance(1ms);
  EXPECT_EQ(one.response().body, "a!(a)");
  EXPECT_EQ(other.response().body, "b!(b)");
}

TEST_F(AsyncApi, ACallHasALimitOfItsOwn) {
  EXPECT_EQ(host.post("/within", "hi").body, "hi!");
  host.set_latency("shouter.shout", 51ms);
  auto late = begin("/within", "hi");
  host.advance(49ms);
  EXPECT_FALSE(late.has_ended());
  host.advance(1ms);
  EXPECT_EQ(late.response().status, 504u);
  EXPECT_THAT(late.response().body, HasSubstr("shouter.shout has not answered within 50 ms"));
  EXPECT_EQ(host.post("/within_or", "hi").body, "(hi)");  // the request goes on
  EXPECT_THAT(notes, ElementsAre("shouter.shout has not answered within 50 ms"));
  host.set_latency("shouter.shout", 49ms);
  EXPECT_EQ(host.post("/within", "hi").body, "hi!");
}

TEST_F(AsyncApi, MustNotWaitOnTheLoop) {
  const auto response = host.post("/blocks", "hi");
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("hold up an event loop"));
}

TEST_F(AsyncApi, ItsTasksRunAfterTheAnswer) {
  EXPECT_EQ(host.post("/tasks", "x").body, "x");
  EXPECT_THAT(notes, ElementsAre("task"));
}

TEST_F(AsyncApi, ExceptionsAreAnsweredAsAThreadsAre) {
  for (const std::string when : {"", "late "}) {
    EXPECT_EQ(host.post("/throws", when + "error").status, 404u);
    EXPECT_THAT(host.post("/throws", when + "error").body, HasSubstr("there is no such thing"));
    EXPECT_EQ(host.post("/throws", when + "status").status, 418u);
    EXPECT_EQ(host.post("/throws", when + "exception").status, 500u);
    EXPECT_THAT(host.post("/throws", when + "exception").body, HasSubstr("out of luck"));
    EXPECT_EQ(host.post("/throws", when + "int").status, 500u);
    EXPECT_EQ(host.post("/throws", when + "memory").status, 503u);
  }
  EXPECT_EQ(host.post("/shout", "").status, 404u);  // the runner's own error
  EXPECT_EQ(host.post("/throws", "late nothing").body, "fine");
}

// ---- cancellation ----------------------------------------------------------------------------

TEST_F(AsyncApi, SleepsByTheClockThatIsMovedByHand) {
  auto exchange = begin("/nap");
  host.advance(999ms);
  EXPECT_THAT(notes, ElementsAre());
  host.advance(1ms);
  EXPECT_THAT(notes, ElementsAre("woke"));
  EXPECT_FALSE(exchange.has_ended());
  host.advance(1s);
  EXPECT_EQ(exchange.response().body, "rested");
}

TEST_F(AsyncApi, AClientThatLeavesUnwindsTheCoroutineWhereItStands) {
  auto exchange = begin("/nap");
  host.settle();
  exchange.leave();
  EXPECT_THAT(notes, ElementsAre());
  host.settle();
  EXPECT_THAT(notes, ElementsAre("~nap"));
  EXPECT_TRUE(exchange.has_ended());
  EXPECT_TRUE(host.log().empty()) << host.log().front().message;  // no failure of the service's
}

// A Host of its own, since a plugin has one at a time.
TEST(AsyncHost, TheDeadlineUnwindsACoroutineAndIs504) {
  notes.clear();
  bento::testing::Host strict(bento::fakes::kEntry<&describe>, {.timeout = 500ms});
  const auto response = strict.post("/nap", "");
  EXPECT_EQ(response.status, 504u);
  EXPECT_THAT(notes, ElementsAre("~nap"));
}

TEST_F(AsyncApi, ACancelledRequestGoesOnSayingSo) {
  auto exchange = begin("/stubborn");
  exchange.leave();
  host.settle();
  EXPECT_TRUE(exchange.has_ended());
  const std::string code = std::to_string(BENTO_CANCELLED);
  EXPECT_THAT(notes, ElementsAre(code, code, code));
}

TEST(AsyncHost, UnwindsWhatIsStillSuspendedAtItsEnd) {
  notes.clear();
  {
    bento::testing::Host other(bento::fakes::kEntry<&describe>);
    (void)other.begin({.method = "POST", .target = "/nap"});
  }
  EXPECT_THAT(notes, ElementsAre("~nap"));
}

// ---- several at once -------------------------------------------------------------------------

TEST_F(AsyncApi, AllWaitsForAll) {
  auto exchange = begin("/all", "hi");
  host.advance(999ms);
  EXPECT_FALSE(exchange.has_ended());
  EXPECT_THAT(notes, ElementsAre("~twice"));
  host.advance(1ms);
  EXPECT_EQ(exchange.response().body, "hi!x!!7");
  EXPECT_EQ(host.post("/all_of", "5").body, "0!1!2!3!4!");
  EXPECT_EQ(host.post("/all_of", "0").body, "");
}

TEST_F(AsyncApi, AllThrowsTheFirstErrorWhenTheOthersHaveEnded) {
  auto exchange = begin("/all_fail");
  host.settle();  // 100 s have not passed
  EXPECT_THAT(notes, ElementsAre("~other", "~other"));
  EXPECT_EQ(exchange.response().status, 404u);
}

TEST_F(AsyncApi, FirstTakesTheFirstAndUnwindsTheOthers) {
  EXPECT_EQ(host.post("/first", "hi").body, "2 hi!");
  EXPECT_THAT(notes, ElementsAre("~slow", "decided"));
  notes.clear();
  host.set_latency("shouter.shout", 1s);
  EXPECT_EQ(host.post("/first", "hi").body, "0 (hi)");
  notes.clear();
  host.set_latency("shouter.whisper", 1s);
  auto exchange = begin("/first", "hi");
  host.advance(900ms);
  EXPECT_FALSE(exchange.has_ended());
  exchange.leave();
  host.settle();
  EXPECT_THAT(notes, ElementsAre("~slow"));
}

TEST_F(AsyncApi, FirstThrowsWhatTheFirstHasThrown) {
  EXPECT_EQ(host.post("/first", "").status, 404u);
  EXPECT_THAT(notes, ElementsAre("~slow"));
}

TEST_F(AsyncApi, CancellingReachesWhatIsAwaitedWithin) {
  auto exchange = begin("/first_of_firsts");
  host.advance(1s);
  EXPECT_EQ(exchange.response().body, "1");
  EXPECT_THAT(notes, ElementsAre("~inner"));
}

TEST_F(AsyncApi, WorkOnAThreadIsWaitedForEvenWhenItIsCancelled) {
  EXPECT_EQ(host.post("/first_and_thread", "").body, "1");
  EXPECT_THAT(notes, ElementsAre("work on a local", "decided"));
}

// ---- from threads ----------------------------------------------------------------------------

TEST_F(AsyncApi, OnThreadGivesTheResultOrTheException) {
  EXPECT_EQ(host.post("/thread", "good").body, "good on a thread!");
  const auto bad = host.post("/thread", "bad");
  EXPECT_EQ(bad.status, 404u);
  EXPECT_THAT(bad.body, HasSubstr("no bad on a thread"));
}

TEST_F(AsyncApi, APromiseIsResolvedFromAnyThread) {
  EXPECT_EQ(host.post("/promise", "news").body, "news from a thread");
  EXPECT_EQ(host.post("/promise", "failed").status, 404u);
  const auto broken = host.post("/promise", "broken");
  EXPECT_EQ(broken.status, 500u);
  EXPECT_THAT(broken.body, HasSubstr("nobody has kept"));
}

TEST_F(AsyncApi, AMillionReadyResultsDoNotRecurse) {
  EXPECT_EQ(host.post("/million", "").body, "a!" + std::to_string(2'000'000 + 200'000 + 10));
}

// ---- misuse ----------------------------------------------------------------------------------

TEST(AsyncService, ACoroutineIsNotQuick) {
  bento::Service svc;
  EXPECT_THROW(svc.api("a", {.quick = true},
                       [](bento::Context&) -> bento::Async<std::string> { co_return ""; }),
               bento::Error);
}

template <typename T>
constexpr bool kStays = !std::is_copy_constructible_v<T> && !std::is_move_constructible_v<T>;
static_assert(kStays<bento::detail::Sleep>);
static_assert(kStays<bento::Promise<int>>);
static_assert(kStays<bento::AsyncStream::Send> && kStays<bento::AsyncStream::Receive>);
static_assert(kStays<bento::AsyncEventStream::Send>);
static_assert(kStays<bento::Future<int>::Within> && kStays<bento::Future<int>::Awaiter>);
static_assert(!std::is_copy_constructible_v<bento::Async<int>>);
static_assert(!std::is_copy_constructible_v<bento::Generator<int>>);

}  // namespace
