// Streaming runner methods and engines, run by hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/testing.hpp>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sdk/testing/service_entry.h"

namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> notes;

struct Prompt {
  std::string text;
  int tokens = 3;
};
BENTO_FIELDS(Prompt, text, (tokens, bento::has_default))
struct Token {
  std::string text;
};
BENTO_FIELDS(Token, text)

// Notes its end.
struct Slot {
  Slot(std::string t, int n) : text(std::move(t)), left(n) {}
  Slot(const Slot&) = delete;
  ~Slot() { notes.push_back("~" + text); }
  std::string text;
  int left;
};

using Call = bento::Work<Prompt, Token>;

class Llm {
 public:
  void begin(Call& work) {
    const Prompt prompt = work.input();
    notes.push_back("begin " + prompt.text);
    if (prompt.text == "bad") throw bento::Error(BENTO_INVALID_ARGUMENT, "a bad prompt", 422);
    if (prompt.text == "none") return work.finish();
    work.state<Slot>(prompt.text, prompt.tokens);
  }
  void step(std::span<Call*> works) {
    std::string who = "step";
    for (Call* work : works) who += " " + work->state<Slot>().text;
    notes.push_back(who);
    for (Call* work : works) {
      auto& slot = work->state<Slot>();
      if (slot.text == "crash") throw bento::Error(BENTO_UNAVAILABLE, "out of memory");
      if (work->cancelled()) {
        work->finish();
      } else if (--slot.left == 0) {
        work->finish({slot.text + "."});
      } else {
        work->emit({slot.text + std::to_string(slot.left)});
      }
    }
  }
  void cancel(Call& work) { notes.push_back("cancel " + work.state<Slot>().text); }

  // Emits the letters of a text.
  void spell(std::string_view text, bento::Emit<std::string>& emit) {
    for (const char c : text) {
      if (c == '!') throw bento::Error(BENTO_INVALID_ARGUMENT, "no shouting");
      emit(std::string(1, c));
      notes.push_back(std::string("emitted ") + c);
    }
  }

  void whole(bento::Work<std::string_view, std::string>& work) {
    const std::string text(work.input());
    if (text == "late") {
      work.finish("late");
      throw bento::Error(BENTO_INTERNAL, "after the end");
    }
    if (text == "keep") bento::Work<std::string_view, std::string> kept = std::move(work);
    work.emit("<" + text + ">");
    if (text == "fail") work.fail(BENTO_NOT_FOUND, "nothing there");
  }
  void one(bento::Work<std::string_view, std::string>& work) {
    work.finish(work.request_id() == "" ? "" : std::string(work.input()) + "!");
  }
};

// Works off its calls on a thread of its own.
class Threaded {
 public:
  using Work = bento::Work<std::string, std::string>;

  Threaded() : thread_([this] { run(); }) {}
  ~Threaded() {
    {
      const std::lock_guard lock(mutex_);
      is_ending_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  void begin(Work work) {
    if (work.input() == "throw") throw bento::Error(BENTO_NOT_FOUND, "not taken");
    if (work.input() == "drop") return;
    if (work.input() == "keep") return kept_.push_back(std::move(work));
    {
      const std::lock_guard lock(mutex_);
      works_.push_back(std::move(work));
    }
    changed_.notify_all();
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return is_ending_ || !works_.empty(); });
      if (works_.empty()) return;
      Work work = std::move(works_.back());
      works_.pop_back();
      lock.unlock();
      if (work.input() != "lose") {
        for (const char c : work.input()) work.emit(std::string(1, c));
        work.finish();
      }
      { const Work ended = std::move(work); }
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Work> works_, kept_;
  bool is_ending_ = false;
  std::thread thread_;
};

void describe(bento::Service& svc) {
  svc.name("llm");
  auto llm = svc.runner<Llm>("llm");
  auto generate =
      llm.engine<&Llm::begin, &Llm::step, &Llm::cancel>("generate", {.max_concurrent = 2});
  auto spell = llm.stream<&Llm::spell>("spell");
  auto count = llm.stream("count", [](Llm&, std::string_view text, bento::Emit<bento::Json>& emit) {
    for (std::size_t i = 0; i < text.size(); ++i) emit("[ " + std::to_string(i) + ", \"a b\" ]");
  });
  auto whole = llm.engine<&Llm::whole>("whole");
  auto one = llm.concurrent<&Llm::one>("one", {.max_concurrent = 4});
  auto threaded =
      svc.runner<Threaded>("threaded").engine<&Threaded::begin>("spell", {.max_concurrent = 4});

  svc.api("generate", generate, {.stream = bento::As::kLines});
  svc.api("spell", spell);
  svc.api("count", count, {.stream = bento::As::kLines});
  svc.api("whole", whole);
  svc.api("one", one);
  svc.api("threaded", threaded);
  svc.api("chat", [=](bento::Context& ctx, Prompt prompt) -> bento::Async<std::string> {
    std::string all;
    auto tokens = generate.stream(ctx, prompt);
    while (const auto token = co_await tokens.next()) all += token->text + " ";
    co_return all;
  });
  svc.api("first", [=](bento::Context& ctx, Prompt prompt) -> bento::Async<Token> {
    auto tokens = generate.stream(ctx, prompt);
    const auto token = co_await tokens.next();
    notes.emplace_back("first");
    co_return token.value();
  });
  svc.api("within", [=](bento::Context& ctx, Prompt prompt) -> bento::Async<Token> {
    auto tokens = generate.stream(ctx, prompt);
    const auto token = co_await tokens.next().within(50ms);
    co_return token.value();
  });
  svc.api("on_thread", [=](bento::Context& ctx, std::string_view text) {
    std::string all;
    auto letters = spell.stream(ctx, text);
    for (const std::string& letter : letters) all += letter + ",";
    return all;
  });
  svc.api("two_letters", [=](bento::Context& ctx, std::string_view text) {
    auto letters = spell.stream(ctx, text);
    const std::string first = letters.get().value();
    return first + letters.get().value();
  });
  svc.api("get_on_loop", [=](bento::Context& ctx, std::string text) -> bento::Async<std::string> {
    auto letters = spell.stream(ctx, text);
    co_return letters.get().value();
  });
}

class EngineApi : public ::testing::Test {
 protected:
  EngineApi() { notes.clear(); }

  bento::testing::Exchange begin(std::string target, std::string body,
                                 std::size_t room = static_cast<std::size_t>(-1)) {
    return host.begin(
        {.method = "POST", .target = std::move(target), .body = std::move(body), .room = room});
  }
  std::vector<std::string> take_notes() { return std::exchange(notes, {}); }

  bento::testing::Host host{bento::fakes::kEntry<&describe>, {.window = 2}};
};

TEST_F(EngineApi, TakesATurnInEachTurnOfTheLoop) {
  auto exchange = begin("/generate", R"({"text":"a"})");
  EXPECT_THAT(take_notes(), IsEmpty());
  host.turn();
  EXPECT_THAT(take_notes(), ElementsAre("begin a", "step a"));
  EXPECT_EQ(exchange.so_far().body, "{\"text\":\"a2\"}\n");
  host.turn();
  EXPECT_EQ(exchange.so_far().body, "{\"text\":\"a2\"}\n{\"text\":\"a1\"}\n");
  EXPECT_FALSE(exchange.has_ended());
  host.turn();
  EXPECT_EQ(exchange.response().body, "{\"text\":\"a2\"}\n{\"text\":\"a1\"}\n{\"text\":\"a.\"}\n");
  EXPECT_EQ(exchange.response().content_type, "application/x-ndjson");
  EXPECT_THAT(take_notes(), ElementsAre("step a", "step a", "~a"));
}

TEST_F(EngineApi, LetsCallsJoinAndLeaveBetweenSteps) {
  auto a = begin("/generate", R"({"text":"a"})");
  host.turn();
  auto b = begin("/generate", R"({"text":"b"})");
  auto c = begin("/generate", R"({"text":"c"})");  // waits: two are in flight
  host.settle();
  EXPECT_THAT(take_notes(),
              ElementsAre("begin a", "step a", "begin b", "step a b", "step a b", "~a", "begin c",
                          "step b c", "~b", "step c", "step c", "~c"));
  EXPECT_TRUE(a.has_ended() && b.has_ended() && c.has_ended());
}

TEST_F(EngineApi, LeavesACallWhoseClientDoesNotReadOutOfTheSteps) {
  auto slow = begin("/generate", R"({"text":"a","tokens":9})", 1);
  host.settle();
  // One has gone out, one waits to, and two fill the window.
  EXPECT_THAT(take_notes(), ElementsAre("begin a", "step a", "step a", "step a", "step a"));
  auto other = begin("/generate", R"({"text":"b"})");
  host.settle();
  EXPECT_TRUE(other.has_ended());
  EXPECT_THAT(take_notes(), ElementsAre("begin b", "step b", "step b", "step b", "~b"));
  slow.take(8);
  host.settle();
  EXPECT_TRUE(slow.response().is_whole);
}

TEST_F(EngineApi, CancelsWhenTheClientLeaves) {
  auto exchange = begin("/chat", R"({"text":"a","tokens":99})");
  host.turn();
  (void)take_notes();
  exchange.leave();
  host.settle();
  EXPECT_THAT(take_notes(), ElementsAre("cancel a", "step a", "~a"));
  EXPECT_TRUE(exchange.has_ended());
}

TEST_F(EngineApi, CancelsAStreamThatIsNotReadToItsEnd) {
  EXPECT_EQ(host.post("/first", R"({"text":"a","tokens":99})").body, R"({"text":"a98"})");
  host.settle();
  EXPECT_EQ(notes.back(), "~a");
}

TEST_F(EngineApi, NeverBeginsACallThatIsCancelledBeforeItsTurn) {
  auto a = begin("/generate", R"({"text":"a","tokens":9})", 0);
  auto b = begin("/generate", R"({"text":"b","tokens":9})", 0);
  auto c = begin("/chat", R"({"text":"c"})");
  host.settle();
  c.leave();
  host.settle();
  EXPECT_TRUE(c.has_ended());
  a.take(99);
  b.take(99);
  host.settle();
  EXPECT_THAT(notes, ::testing::Not(::testing::Contains("begin c")));
}

TEST_F(EngineApi, AnswersWithTheErrorOfBegin) {
  const auto response = host.post("/generate", R"({"text":"bad"})");
  EXPECT_EQ(response.status, 422u);
  EXPECT_THAT(response.body, HasSubstr("a bad prompt"));
}

TEST_F(EngineApi, AnswersWithoutResultsWhenBeginFinishes) {
  const auto response = host.post("/generate", R"({"text":"none"})");
  EXPECT_EQ(response.status, 200u);
  EXPECT_EQ(response.body, "");
  EXPECT_EQ(host.post("/chat", R"({"text":"none"})").body, "");
}

TEST_F(EngineApi, FailsAllCallsOfAStepThatThrows) {
  auto a = begin("/chat", R"({"text":"a"})");
  auto b = begin("/chat", R"({"text":"crash"})");
  host.settle();
  EXPECT_EQ(a.response().status, 503u);
  EXPECT_EQ(b.response().status, 503u);
  EXPECT_THAT(take_notes(), ElementsAre("begin a", "begin crash", "step a crash", "~a", "~crash"));
  EXPECT_EQ(host.post("/chat", R"({"text":"a"})").body, "a2 a1 a. ");  // and goes on
}

TEST_F(EngineApi, LimitsTheWaitForAResult) {
  host.set_latency("llm.generate", 51ms);
  auto late = begin("/within", R"({"text":"a"})");
  host.advance(50ms);
  EXPECT_EQ(late.response().status, 504u);
  EXPECT_THAT(late.response().body, HasSubstr("llm.generate has not answered within 50 ms"));
  host.set_latency("llm.generate", 49ms);
  auto in_time = begin("/within", R"({"text":"a"})");
  host.advance(49ms);
  EXPECT_EQ(in_time.response().status, 200u);
}

TEST_F(EngineApi, StreamsWhatIsEmittedAsEvents) {
  const auto response = host.post("/spell", "ab");
  EXPECT_EQ(response.content_type, "text/event-stream");
  EXPECT_EQ(response.body, "data: a\n\ndata: b\n\ndata: [DONE]\n\n");
}

TEST_F(EngineApi, WaitsInEmitForItsReader) {
  auto exchange = begin("/spell", "abcdefg", 1);
  host.settle();
  EXPECT_THAT(take_notes(), ElementsAre("emitted a", "emitted b", "emitted c", "emitted d"));
  exchange.take(1);
  host.settle();
  EXPECT_THAT(take_notes(), ElementsAre("emitted e"));
  exchange.leave();
  host.settle();
  EXPECT_TRUE(exchange.has_ended());
  EXPECT_THAT(take_notes(), IsEmpty());  // emit has thrown
}

TEST_F(EngineApi, EndsAStreamOfEventsWithTheError) {
  const auto response = host.post("/spell", "a!");
  EXPECT_EQ(response.status, 200u);
  EXPECT_THAT(response.body, HasSubstr("data: a\n\nevent: error\ndata: {"));
  EXPECT_THAT(response.body, HasSubstr("no shouting"));
  EXPECT_EQ(host.post("/spell", "!").status, 400u);
}

TEST_F(EngineApi, StreamsToAThread) {
  EXPECT_EQ(host.post("/on_thread", "abcde").body, "a,b,c,d,e,");
  EXPECT_EQ(host.post("/on_thread", "").body, "");
  EXPECT_EQ(host.post("/on_thread", "ab!").status, 400u);
  EXPECT_EQ(host.post("/two_letters", "abcdefghijklm").body, "ab");
  EXPECT_EQ(host.post("/get_on_loop", "a").status, 500u);
}

TEST_F(EngineApi, TakesALambda) {
  EXPECT_EQ(host.post("/count", "abc").body, "[0,\"a b\"]\n[1,\"a b\"]\n[2,\"a b\"]\n");
}

TEST_F(EngineApi, EndsWithBeginWithoutAStep) {
  EXPECT_EQ(host.post("/whole", "a").body, "data: <a>\n\ndata: [DONE]\n\n");
  EXPECT_THAT(host.post("/whole", "fail").body, HasSubstr("nothing there"));
  EXPECT_EQ(host.post("/whole", "late").body, "data: late\n\ndata: [DONE]\n\n");
  EXPECT_TRUE(host.has_logged("after the end of its call: after the end"));
}

TEST_F(EngineApi, RefusesToMoveAWorkThatIsLent) {
  const auto response = host.post("/whole", "keep");
  EXPECT_EQ(response.status, 500u);
  EXPECT_THAT(response.body, HasSubstr("to keep it, begin takes a bento::Work by value"));
}

TEST_F(EngineApi, ReturnsOneResultFromAConcurrentMethod) {
  EXPECT_EQ(host.post("/one", "a").body, "a!");
}

TEST_F(EngineApi, TakesResultsFromThreadsOfThePlugins) {
  EXPECT_EQ(host.post("/threaded", R"(abc)").body,
            "data: a\n\ndata: b\n\ndata: c\n\ndata: [DONE]\n\n");
  EXPECT_EQ(host.post("/threaded", "throw").status, 404u);
}

TEST_F(EngineApi, EndsACallThatIsDropped) {
  for (const char* how : {"drop", "lose"}) {
    const auto response = host.post("/threaded", how);
    EXPECT_EQ(response.status, 500u) << how;
    EXPECT_THAT(response.body, HasSubstr("dropped the call without finishing it")) << how;
  }
}

TEST_F(EngineApi, LetsAPluginKeepACallUntilItsRunnerEnds) {
  auto exchange = begin("/threaded", "keep");
  host.settle();
  EXPECT_FALSE(exchange.has_ended());
  exchange.leave();
  host.settle();
  EXPECT_TRUE(exchange.has_ended());
}

}  // namespace
