// Asynchronous calls on a loop that the test steps by hand: when the plugin is called, how its
// requests end, and what is left of them.
#include "service/async_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <thread>

#include "fakes/fake_clock.h"
#include "fakes/fake_exchange.h"
#include "fakes/fake_plugin.h"
#include "fakes/local_service.h"
#include "observe/sharded.h"

namespace bentohost::service {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

// What the plugin was given, and what it does when it is called.
struct Given {
  std::function<bento_code()> on_call = [] { return BENTO_OK; };
  bento_ctx* ctx = nullptr;
  bento_done* done = nullptr;
  bento_channel* channel = nullptr;
  std::string input;
};
Given* given = nullptr;

bento_code invoke_async(void*, const bento_api*, bento_ctx* ctx, const bento_value* const* in,
                        std::size_t, bento_done* done, bento_error* error) {
  given->ctx = ctx;
  given->done = done;
  given->input.assign(static_cast<const char*>(in[0]->bytes.ptr), in[0]->bytes.len);
  return Status(given->on_call(), "refused").give(error);
}

bento_code raw_async(void*, const bento_api*, const bento_call* call, bento_done* done,
                     bento_error* error) {
  given->ctx = call->ctx;
  given->done = done;
  given->channel = call->channel;
  return Status(given->on_call(), "refused").give(error);
}

class AsyncCallTest : public testing::Test {
 protected:
  AsyncCallTest() {
    given = &given_;
    error_.size = sizeof error_;
    plugin_.echo.invoke = nullptr;
    plugin_.echo.invoke_async = &invoke_async;
    plugin_.raw.raw = nullptr;
    plugin_.raw.raw_async = &raw_async;
    service_ = fakes::start(*plugin_.instance());
    EXPECT_TRUE(fakes::serve(dispatcher_, {service_}).ok());
  }
  ~AsyncCallTest() override { given = nullptr; }

  const bento_host& host() const { return *plugin_.host; }

  void ask(fakes::FakeExchange& exchange) {
    exchange.loop = &loop_;
    exchange.request().arrived = clock_.now();
    turn([&] { fakes::ask(dispatcher_, exchange); });
  }
  // As code that the loop calls.
  void turn(std::function<void()> f = [] {}) {
    loop_.post(std::move(f));
    loop_.step(0ms);
  }
  void finish(bento_code code = BENTO_OK) { given_.done->finish(given_.done, code, &error_); }
  void give(std::string_view text) {
    bento_value value{};
    value.size = sizeof value;
    value.kind = BENTO_BYTES;
    value.bytes = {text.data(), text.size()};
    EXPECT_EQ(given_.done->sink->value(given_.done->sink, &value, &error_), BENTO_OK);
  }
  bento_code send(std::uint32_t type, std::string_view body = {}, bool more = true) {
    bento_event event{};
    event.size = sizeof event;
    event.type = type;
    event.status = 200;
    event.more = more ? 1 : 0;
    event.body = {body.data(), body.size()};
    return given_.channel->send(given_.channel, &event, &error_);
  }
  bento_code receive(bento_event& event) {
    event = {};
    event.size = sizeof event;
    return given_.channel->receive(given_.channel, &event, &error_);
  }
  void expect_nothing_left(fakes::FakeExchange& exchange) {
    exchange.events.reset();
    exchange.late.reset();
    EXPECT_EQ(metrics_.in_flight().value(), 0);
    EXPECT_EQ(deps_.slots, 0u);
    EXPECT_EQ(deps_.unanswered, 0u);
    EXPECT_EQ(service_->leases, 0u);
    EXPECT_EQ(loop_.timers().next(), kNoDeadline);
  }

  fakes::FakeClock clock_;
  EventLoop loop_{clock_};
  observe::Metrics metrics_{"test"};
  RequestDeps deps_{clock_, metrics_};
  fakes::FakePlugin plugin_;
  std::shared_ptr<const LiveService> service_;
  Dispatcher dispatcher_{deps_};
  Given given_;
  bento_error error_{};
};

void count(void* counter) { ++*static_cast<int*>(counter); }

TEST_F(AsyncCallTest, IsAnsweredWhenThePluginFinishesAndLeavesNothing) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  ask(exchange);
  EXPECT_EQ(given_.input, "abc");
  EXPECT_TRUE(exchange.responses.empty());
  EXPECT_EQ(deps_.slots, 1u);
  turn([&] {
    give("result");
    finish();
  });
  loop_.step(0ms);
  EXPECT_EQ(exchange.response().body, "result");
  expect_nothing_left(exchange);
}

TEST_F(AsyncCallTest, MayFinishWithinItsFirstCall) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  given_.on_call = [&] {
    give("at once");
    finish();
    EXPECT_TRUE(exchange.responses.empty()) << "the plugin's call has the request still";
    return BENTO_OK;
  };
  ask(exchange);
  EXPECT_EQ(exchange.response().body, "at once");
}

TEST_F(AsyncCallTest, AnErrorThatIsReturnedIsTheAnswer) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  given_.on_call = [] { return bento_code{BENTO_NOT_FOUND}; };
  ask(exchange);
  EXPECT_EQ(exchange.response().status, 404);
  expect_nothing_left(exchange);
}

TEST_F(AsyncCallTest, FinishesFromAWrongThreadAreForgiven) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  ask(exchange);
  std::thread([&] {
    give("from afar");
    finish();
  }).join();
  EXPECT_TRUE(exchange.responses.empty());
  loop_.step(0ms);
  EXPECT_EQ(exchange.response().body, "from afar");
}

TEST_F(AsyncCallTest, FinishedWithoutAnAnswerOrWithPendingIsA500) {
  for (const bento_code code : {bento_code{BENTO_OK}, bento_code{BENTO_PENDING}}) {
    fakes::FakeExchange exchange("POST", "/echo", "abc");
    ask(exchange);
    turn([&] { finish(code); });
    loop_.step(0ms);
    EXPECT_EQ(exchange.response().status, 500);
  }
}

TEST_F(AsyncCallTest, IsNotCalledForARequestThatIsOver) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  *exchange.is_cancelled = true;
  ask(exchange);
  EXPECT_EQ(given_.done, nullptr);
  EXPECT_EQ(exchange.response().status, 499);
  expect_nothing_left(exchange);
}

TEST_F(AsyncCallTest, IsWokenWhenItsClientLeavesAndSaysSo) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  ask(exchange);
  bento_ticket* timer = nullptr;
  int woken = 0;
  turn([&] {
    ASSERT_EQ(host().after(given_.ctx, 1'000'000'000, &timer, &error_), BENTO_OK);
    ASSERT_EQ(host().when(timer, &count, &woken), 1);
  });
  *exchange.is_cancelled = true;
  turn([&] { exchange.events->on_cancelled(); });
  EXPECT_EQ(woken, 1);
  const bento_value* const* out = nullptr;
  std::size_t n = 0;
  EXPECT_EQ(host().next(timer, &out, &n, &error_), BENTO_CANCELLED);
  bento_ticket* another = nullptr;
  EXPECT_EQ(host().after(given_.ctx, 1, &another, &error_), BENTO_CANCELLED)
      << "it goes on saying so";
  EXPECT_EQ(host().submit(given_.ctx, to_bento("a"), to_bento("b"), nullptr, 0, &another, &error_),
            BENTO_CANCELLED);
  host().release(timer);
  turn([&] { finish(BENTO_CANCELLED); });
  loop_.step(0ms);
  expect_nothing_left(exchange);
}

TEST_F(AsyncCallTest, IsWokenAtItsDeadlineWithTimeToAnswer) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  ask(exchange);
  void* resolver = nullptr;
  bento_ticket* promise = nullptr;
  int woken = 0;
  turn([&] {
    ASSERT_EQ(host().promise(given_.ctx, &promise, &resolver, &error_), BENTO_OK);
    ASSERT_EQ(host().when(promise, &count, &woken), 1);
  });
  clock_.advance(deps_.timeout - 1ms);
  turn();
  EXPECT_EQ(woken, 0);
  clock_.advance(1ms);
  turn();
  EXPECT_EQ(woken, 1);
  const bento_value* const* out = nullptr;
  std::size_t n = 0;
  EXPECT_EQ(host().next(promise, &out, &n, &error_), BENTO_DEADLINE_EXCEEDED);
  host().release(promise);
  host().resolve(resolver, BENTO_OK, nullptr, nullptr);
  turn([&] {
    give("in its own words");
    finish();
  });
  loop_.step(0ms);
  EXPECT_EQ(exchange.response().body, "in its own words");
}

TEST_F(AsyncCallTest, HearsNothingAfterItHasFinished) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  ask(exchange);
  bento_ticket* timer = nullptr;
  int woken = 0;
  turn([&] {
    ASSERT_EQ(host().after(given_.ctx, 1'000'000, &timer, &error_), BENTO_OK);
    host().when(timer, &count, &woken);
    give("done");
    finish();
  });
  loop_.step(0ms);
  const auto events = exchange.events;
  clock_.advance(1s);
  turn([&] {
    events->on_cancelled();
    events->on_body();
    events->on_room();
  });
  EXPECT_EQ(woken, 0);
  host().release(timer);
}

TEST_F(AsyncCallTest, ReceivesWhatHasComeAndIsToldOfMore) {
  fakes::FakeExchange exchange("POST", "/raw", "one");
  exchange.request().is_arriving = true;
  ask(exchange);
  bento_event event{};
  ASSERT_EQ(receive(event), BENTO_OK);
  EXPECT_EQ(event.body.len, 3u);
  EXPECT_EQ(event.more, 1);
  EXPECT_EQ(receive(event), BENTO_PENDING);
  int woken = 0;
  ASSERT_EQ(given_.channel->when(given_.channel, BENTO_CAN_RECEIVE, &count, &woken), 1);
  turn([&] { exchange.events->on_body(); });
  EXPECT_EQ(woken, 0) << "nothing has come";
  exchange.request().body += "two";
  exchange.request().is_arriving = false;
  turn([&] { exchange.events->on_body(); });
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(given_.channel->when(given_.channel, BENTO_CAN_RECEIVE, &count, &woken), 0);
  ASSERT_EQ(receive(event), BENTO_OK);
  EXPECT_EQ(std::string_view(static_cast<const char*>(event.body.ptr), event.body.len), "two");
  EXPECT_EQ(event.more, 0);
  turn([&] {
    send(BENTO_RESPONSE_START);
    send(BENTO_RESPONSE_BODY, "whole", false);
    finish();
  });
  loop_.step(0ms);
  EXPECT_EQ(exchange.response().body, "whole");
}

TEST_F(AsyncCallTest, IsToldOfRoomAndRefusedWhenItDoesNotAsk) {
  fakes::FakeExchange exchange("POST", "/raw", "");
  ask(exchange);
  EXPECT_EQ(send(BENTO_RESPONSE_START), BENTO_OK);
  EXPECT_EQ(send(BENTO_RESPONSE_BODY, "x"), BENTO_OK);
  int woken = 0;
  EXPECT_EQ(given_.channel->when(given_.channel, BENTO_CAN_SEND, &count, &woken), 0);
  exchange.is_roomy = false;
  ASSERT_EQ(given_.channel->when(given_.channel, BENTO_CAN_SEND, &count, &woken), 1);
  const std::string piece(1u << 20, 'x');
  int sent = 0;
  for (; send(BENTO_RESPONSE_BODY, piece) == BENTO_OK; ++sent) ASSERT_LT(sent, 10);
  EXPECT_EQ(sent, 5);
  EXPECT_EQ(error_.code, BENTO_RESOURCE_EXHAUSTED);
  exchange.is_roomy = true;
  turn([&] { exchange.events->on_room(); });
  EXPECT_EQ(woken, 1);
  EXPECT_EQ(send(BENTO_RESPONSE_BODY, piece), BENTO_OK);
  turn([&] {
    send(BENTO_RESPONSE_BODY, {}, false);
    finish();
  });
  loop_.step(0ms);
  EXPECT_TRUE(exchange.is_complete);
  EXPECT_EQ(exchange.started->body.size(), 1 + 6 * piece.size());
}

TEST_F(AsyncCallTest, WhatStreamsIsWokenByTheStopAndMaySayGoodbye) {
  fakes::FakeExchange exchange("POST", "/raw", "");
  exchange.request().is_arriving = true;
  ask(exchange);
  EXPECT_EQ(send(BENTO_RESPONSE_START), BENTO_OK);
  EXPECT_EQ(send(BENTO_RESPONSE_BODY, "hello"), BENTO_OK);
  int woken = 0;
  ASSERT_EQ(given_.channel->when(given_.channel, BENTO_CAN_RECEIVE, &count, &woken), 1);
  clock_.advance(deps_.body_timeout + 2 * deps_.timeout);
  turn();
  EXPECT_EQ(woken, 0) << "a stream has no deadline";
  deps_.draining = true;
  deps_.streams.stop();
  turn();
  EXPECT_EQ(woken, 1);
  bento_event event{};
  EXPECT_EQ(receive(event), BENTO_CANCELLED);
  EXPECT_EQ(send(BENTO_RESPONSE_BODY, "more"), BENTO_CANCELLED);
  EXPECT_EQ(send(BENTO_RESPONSE_BODY, "bye", false), BENTO_OK);
  turn([&] { finish(); });
  loop_.step(0ms);
  EXPECT_EQ(exchange.started->body, "hellobye");
  EXPECT_TRUE(exchange.is_complete);
}

TEST_F(AsyncCallTest, WhatHasNotBegunToStreamIsLeftAloneByTheStop) {
  fakes::FakeExchange exchange("POST", "/raw", "");
  exchange.request().is_arriving = true;
  ask(exchange);
  int woken = 0;
  ASSERT_EQ(given_.channel->when(given_.channel, BENTO_CAN_RECEIVE, &count, &woken), 1);
  deps_.draining = true;
  deps_.streams.stop();
  turn();
  EXPECT_EQ(woken, 0);
  turn([&] {
    send(BENTO_RESPONSE_START);
    send(BENTO_RESPONSE_BODY, "answer", false);
    finish();
  });
  loop_.step(0ms);
  EXPECT_EQ(exchange.response().body, "answer");
}

TEST_F(AsyncCallTest, BothWhoWaitForTheChannelAreWokenWhenItIsOver) {
  fakes::FakeExchange exchange("POST", "/raw", "");
  exchange.request().is_arriving = true;
  ask(exchange);
  exchange.is_roomy = false;
  int receivers = 0, senders = 0;
  ASSERT_EQ(given_.channel->when(given_.channel, BENTO_CAN_RECEIVE, &count, &receivers), 1);
  ASSERT_EQ(given_.channel->when(given_.channel, BENTO_CAN_SEND, &count, &senders), 1);
  *exchange.is_cancelled = true;
  turn([&] { exchange.events->on_cancelled(); });
  EXPECT_EQ(receivers, 1);
  EXPECT_EQ(senders, 1);
  bento_event event{};
  EXPECT_EQ(receive(event), BENTO_OK);
  EXPECT_EQ(event.type, BENTO_DISCONNECT);
  turn([&] { finish(BENTO_CANCELLED); });
  loop_.step(0ms);
  expect_nothing_left(exchange);
}

// Without a connection's loop, as in the trial of a reload, a thread turns one.
TEST_F(AsyncCallTest, IsAnsweredOnAThreadThatHasNoLoop) {
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  exchange.request().arrived = clock_.now();
  int turns = 0;
  given_.on_call = [&] {
    EXPECT_NE(EventLoop::current(), nullptr);
    EventLoop::current()->post([&] {
      ++turns;
      give("on a thread");
      finish();
    });
    return BENTO_OK;
  };
  fakes::ask(dispatcher_, exchange);
  EXPECT_EQ(turns, 1);
  EXPECT_EQ(exchange.response().body, "on a thread");
  expect_nothing_left(exchange);
}

// ---- stalls ----------------------------------------------------------------------------------

TEST_F(AsyncCallTest, ACallThatHoldsUpTheLoopIsCounted) {
  given_.on_call = [&] {
    clock_.advance(11ms);
    give("late");
    finish();
    return BENTO_OK;
  };
  for (int i = 0; i < 2; ++i) {
    fakes::FakeExchange exchange("POST", "/echo", "abc");
    ask(exchange);
  }
  EXPECT_THAT(metrics_.text(),
              HasSubstr("bentohost_loop_stalls_total{api=\"echo\",service=\"fake\"} 2"));
}

TEST_F(AsyncCallTest, ACallThatReturnsSoonIsNot) {
  given_.on_call = [&] {
    clock_.advance(9ms);
    give("soon");
    finish();
    return BENTO_OK;
  };
  fakes::FakeExchange exchange("POST", "/echo", "abc");
  ask(exchange);
  EXPECT_THAT(metrics_.text(), testing::Not(HasSubstr("bentohost_loop_stalls_total{")));
}

}  // namespace
}  // namespace bentohost::service
