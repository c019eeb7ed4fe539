// Tickets: who waits for them, on a loop that the test steps by hand or on a thread, and what they
// leave behind.
#include "plugin/ticket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "base/process/plugin_call_note.h"
#include "fakes/fake_clock.h"
#include "plugin/tickets.h"

namespace bentohost::plugin {
namespace {

using testing::HasSubstr;
using namespace std::chrono_literals;

class PlainTicket final : public Ticket {
 public:
  explicit PlainTicket(Waiter its_waiter, int* its_let_go = nullptr)
      : Ticket(std::move(its_waiter)), let_go_(its_let_go) {}

 private:
  void let_go() override {
    if (let_go_ != nullptr) ++*let_go_;
  }
  int* const let_go_;
};

Ticket::Values text(std::string_view bytes) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  value.bytes = {bytes.data(), bytes.size()};
  Ticket::Values values;
  values.push_back(*wire::Value::copy(value));
  return values;
}

Ticket::Kept keep(std::string_view bytes) {
  struct Memory {
    Ticket::Values values;
    std::vector<bento_value> views;
  };
  const auto memory = std::make_shared<Memory>();
  memory->values = text(bytes);
  memory->views.push_back(memory->values[0].view());
  return {memory->views, memory, bytes.size()};
}

std::string_view text_of(const bento_ticket::Results& results) {
  return {static_cast<const char*>(results[0]->bytes.ptr), results[0]->bytes.len};
}

void count(void* counter) { ++*static_cast<int*>(counter); }

class TicketTest : public testing::Test, public AsyncScope::Owner {
 protected:
  TicketTest() { scope_->open(loop_); }
  ~TicketTest() override { scope_->close(); }

  void wake(const Wake& wake) override {
    ++wakes_;
    is_inside_ = true;
    wake.function(wake.arg);
    is_inside_ = false;
  }
  void on_wait() override { ++waits_; }

  Waiter on_loop() const { return {scope_, kNoDeadline, {}}; }
  void turn() { loop_.step(0ms); }
  std::shared_ptr<PlainTicket> make() { return std::make_shared<PlainTicket>(on_loop(), &let_go_); }

  fakes::FakeClock clock_;
  EventLoop loop_{clock_};
  std::shared_ptr<AsyncScope> scope_ = std::make_shared<AsyncScope>(*this);
  int wakes_ = 0, waits_ = 0, woken_ = 0, let_go_ = 0;
  bool is_inside_ = false;
};

TEST_F(TicketTest, SaysPendingUntilItHasEndedAndItsResultOnce) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  EXPECT_EQ(held->next().status().code(), BENTO_PENDING);
  ticket->end({}, text("result"));
  const auto result = held->next();
  ASSERT_TRUE(result.ok());
  EXPECT_EQ(text_of(*result), "result");
  EXPECT_TRUE((*held->next()).empty()) << "that was all";
  EXPECT_TRUE((*held->next()).empty());
}

TEST_F(TicketTest, EndsOnce) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  ticket->end(Status(BENTO_NOT_FOUND, "the first"));
  ticket->end({}, text("the second"));
  EXPECT_EQ(held->next().status().message(), "the first");
  EXPECT_EQ(held->next().status().message(), "the first") << "an error stays";
}

TEST_F(TicketTest, GivesItsResultsInOrderAndThenItsEnd) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  ticket->add(keep("first"));
  EXPECT_EQ(text_of(*held->next()), "first");
  EXPECT_EQ(held->next().status().code(), BENTO_PENDING);
  ticket->add(keep("second"));
  ticket->end({}, text("third"));
  EXPECT_EQ(text_of(*held->next()), "second");
  EXPECT_EQ(text_of(*held->next()), "third");
  EXPECT_TRUE((*held->next()).empty());
  ticket->add(keep("too late"));
  EXPECT_TRUE((*held->next()).empty());
}

TEST_F(TicketTest, AnErrorComesAfterTheResultsBeforeIt) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  ticket->add(keep("first"));
  ticket->end(Status(BENTO_UNAVAILABLE, "the worker died"));
  EXPECT_EQ(text_of(*held->next()), "first");
  EXPECT_EQ(held->next().status().code(), BENTO_UNAVAILABLE);
}

TEST_F(TicketTest, ACancelComesBeforeResultsThatNobodyHasTaken) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  ticket->add(keep("first"));
  scope_->cancel(Status(BENTO_CANCELLED, "the client is gone"));
  EXPECT_EQ(held->next().status().code(), BENTO_CANCELLED);
}

TEST_F(TicketTest, WakesForEachResultThatIsWaitedFor) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  EXPECT_TRUE(held->when(&count, &woken_));
  ticket->add(keep("first"));
  turn();
  EXPECT_EQ(woken_, 1);
  EXPECT_FALSE(held->when(&count, &woken_)) << "there is one";
  EXPECT_EQ(text_of(*held->next()), "first");
  EXPECT_TRUE(held->when(&count, &woken_));
  ticket->add(keep("second"));
  turn();
  EXPECT_EQ(woken_, 2);
}

TEST_F(TicketTest, WaitIsTheFirstResultAsLongAsNoOtherWasTaken) {
  const auto ticket = std::make_shared<PlainTicket>(Waiter{});
  const TicketPtr held = ticket->hand_out();
  ticket->add(keep("first"));
  ticket->add(keep("second"));
  EXPECT_EQ(text_of(*held->wait()), "first");
  EXPECT_EQ(text_of(*held->wait()), "first");
  EXPECT_EQ(text_of(*held->next()), "first");
  EXPECT_EQ(text_of(*held->wait()), "first");
  EXPECT_EQ(text_of(*held->next()), "second");
  EXPECT_EQ(held->wait().status().code(), BENTO_FAILED_PRECONDITION);
}

TEST_F(TicketTest, IsNotWaitedForOnALoop) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  ticket->end({}, text("even when it has ended"));
  EXPECT_EQ(held->wait().status().code(), BENTO_FAILED_PRECONDITION);
  EXPECT_EQ(held->wait().status().http_status(), 500u);
}

TEST_F(TicketTest, WakesOnceAndNotFromWithinWhen) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  EXPECT_TRUE(held->when(&count, &woken_));
  EXPECT_EQ(waits_, 1);
  ticket->end({});
  turn();
  turn();
  EXPECT_EQ(woken_, 1);
  EXPECT_FALSE(held->when(&count, &woken_)) << "it has ended";
  turn();
  EXPECT_EQ(woken_, 1);
}

TEST_F(TicketTest, WakesOnlyTheLastWhoAsked) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  int first = 0;
  EXPECT_TRUE(held->when(&count, &first));
  EXPECT_TRUE(held->when(&count, &woken_));
  ticket->end({});
  turn();
  EXPECT_EQ(first, 0);
  EXPECT_EQ(woken_, 1);
}

TEST_F(TicketTest, DoesNotWakeFromWithinAPluginsCall) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  held->when(&count, &woken_);
  loop_.post([&] {
    const PluginCallNote note;
    const CallScope scope(note);
    ticket->end({});
    EXPECT_EQ(woken_, 0);
  });
  turn();
  turn();
  EXPECT_EQ(woken_, 1);
}

TEST_F(TicketTest, WakesOnItsLoopWhateverThreadEndsIt) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  held->when(&count, &woken_);
  std::thread([&] { ticket->end({}, text("from afar")); }).join();
  EXPECT_EQ(woken_, 0);
  turn();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(text_of(*held->next()), "from afar");
}

TEST_F(TicketTest, WakesNobodyOnceItIsReleased) {
  const auto ticket = make();
  TicketPtr held = ticket->hand_out();
  held->when(&count, &woken_);
  std::thread([&] { ticket->end({}); }).join();
  held.reset();
  turn();
  EXPECT_EQ(woken_, 0);
  EXPECT_EQ(let_go_, 1);
}

TEST_F(TicketTest, IsGoneWhenItIsReleased) {
  std::weak_ptr<PlainTicket> seen;
  {
    const auto ticket = make();
    seen = ticket;
    TicketPtr held = ticket->hand_out();
  }
  EXPECT_TRUE(seen.expired());
}

TEST_F(TicketTest, EndsWithTheReasonWhenItsScopeIsCancelled) {
  const auto one = make(), other = make();
  const TicketPtr held = one->hand_out(), unasked = other->hand_out();
  held->when(&count, &woken_);
  loop_.post([&] { scope_->cancel(Status(BENTO_CANCELLED, "the client is gone")); });
  turn();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(let_go_, 2) << "nobody waits for what they stand for";
  EXPECT_EQ(held->next().status().code(), BENTO_CANCELLED);
  EXPECT_EQ(unasked->next().status().message(), "the client is gone");
  EXPECT_EQ(scope_->over().code(), BENTO_CANCELLED);
}

// A plugin that is woken by a cancellation leaves at once, and takes all its tickets with it.
struct Leaver {
  std::vector<TicketPtr> tickets;
  int woken = 0;
};

TEST_F(TicketTest, MayBeReleasedByWhoIsWokenInTheSameCancellation) {
  Leaver leaver;
  for (int i = 0; i < 3; ++i) {
    leaver.tickets.push_back(make()->hand_out());
    leaver.tickets.back()->when(
        [](void* arg) {
          auto& self = *static_cast<Leaver*>(arg);
          ++self.woken;
          self.tickets.clear();
        },
        &leaver);
  }
  loop_.post([&] { scope_->cancel(Status(BENTO_CANCELLED, "gone")); });
  turn();
  EXPECT_EQ(leaver.woken, 1);
}

TEST_F(TicketTest, OutlivesItsScope) {
  const auto ticket = make();
  const TicketPtr held = ticket->hand_out();
  held->when(&count, &woken_);
  scope_->close();
  EXPECT_EQ(let_go_, 1);
  ticket->end({});
  turn();
  EXPECT_EQ(woken_, 0);
}

TEST_F(TicketTest, OfAThreadIsWaitedFor) {
  const auto ticket = std::make_shared<PlainTicket>(Waiter{});
  const TicketPtr held = ticket->hand_out();
  EXPECT_FALSE(held->when(&count, &woken_)) << "next() will wait";
  std::thread other([&] { ticket->end({}, text("result")); });
  EXPECT_EQ(text_of(*held->wait()), "result");
  EXPECT_EQ(text_of(*held->wait()), "result") << "as often as it is asked";
  EXPECT_EQ(text_of(*held->next()), "result");
  EXPECT_TRUE((*held->next()).empty());
  other.join();
}

TEST_F(TicketTest, OfAThreadEndsAtTheDeadlineAndWhenItsRequestIsCancelled) {
  const TicketPtr late =
      std::make_shared<PlainTicket>(Waiter{nullptr, std::chrono::steady_clock::now() - 1s, {}})
          ->hand_out();
  EXPECT_EQ(late->next().status().code(), BENTO_DEADLINE_EXCEEDED);
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  const TicketPtr left =
      std::make_shared<PlainTicket>(Waiter{nullptr, kNoDeadline, gone})->hand_out();
  std::thread client([&] { gone->store(true); });
  EXPECT_EQ(left->next().status().code(), BENTO_CANCELLED);
  client.join();
}

// ---- timers ----------------------------------------------------------------------------------

TEST_F(TicketTest, ATimerEndsWhenItsTimeHasCome) {
  const TicketPtr timer = make_timer(on_loop(), clock_.now(), 5'000'000);
  timer->when(&count, &woken_);
  turn();
  EXPECT_EQ(timer->next().status().code(), BENTO_PENDING);
  clock_.advance(5ms);
  turn();
  EXPECT_EQ(woken_, 1);
  EXPECT_TRUE((*timer->next()).empty());
}

TEST_F(TicketTest, ATimerThatIsReleasedLeavesNothingInTheLoop) {
  TicketPtr timer = make_timer(on_loop(), clock_.now(), 5'000'000);
  timer.reset();
  EXPECT_EQ(loop_.timers().next(), kNoDeadline);
}

TEST_F(TicketTest, ATimerThatOutlivesItsScopeLeavesNothingInTheLoop) {
  const TicketPtr timer = make_timer(on_loop(), clock_.now(), 5'000'000);
  scope_->close();
  EXPECT_EQ(loop_.timers().next(), kNoDeadline);
}

TEST_F(TicketTest, ATimeBeyondAllTimeIsNever) {
  const TicketPtr timer = make_timer(on_loop(), clock_.now(), UINT64_MAX);
  clock_.advance(std::chrono::hours(10'000));
  turn();
  EXPECT_EQ(timer->next().status().code(), BENTO_PENDING);
}

TEST_F(TicketTest, AThreadWaitsForATimer) {
  const TimePoint begun = std::chrono::steady_clock::now();
  const TicketPtr timer = make_timer(Waiter{}, begun, 3'000'000);
  EXPECT_TRUE((*timer->next()).empty());
  EXPECT_GE(std::chrono::steady_clock::now() - begun, 3ms);
}

// ---- promises --------------------------------------------------------------------------------

TEST_F(TicketTest, APromiseIsResolvedWithAValueWithoutOneOrWithAnError) {
  const Ticket::Values values = text("kept");
  const bento_value value = values[0].view();
  bento_error error{};
  error.size = sizeof error;
  error.code = BENTO_NOT_FOUND;
  std::copy_n("no", 3, error.message);
  void* resolver = nullptr;

  TicketPtr promise = make_promise(on_loop(), &resolver);
  promise->when(&count, &woken_);
  std::thread([&] { resolve(resolver, BENTO_OK, &value, nullptr); }).join();
  turn();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(text_of(*promise->next()), "kept");

  promise = make_promise(on_loop(), &resolver);
  resolve(resolver, BENTO_OK, nullptr, nullptr);
  EXPECT_TRUE((*promise->next()).empty());

  promise = make_promise(on_loop(), &resolver);
  resolve(resolver, BENTO_NOT_FOUND, nullptr, &error);
  EXPECT_EQ(promise->next().status().message(), "no");

  promise = make_promise(on_loop(), &resolver);
  resolve(resolver, BENTO_PENDING, nullptr, nullptr);
  EXPECT_EQ(promise->next().status().code(), BENTO_INTERNAL);
}

TEST_F(TicketTest, APromiseIsResolvedAlsoWhenItWasReleasedOrCancelled) {
  void *released = nullptr, *cancelled = nullptr;
  make_promise(on_loop(), &released).reset();
  const TicketPtr promise = make_promise(on_loop(), &cancelled);
  scope_->cancel(Status(BENTO_CANCELLED, "gone"));
  resolve(released, BENTO_OK, nullptr, nullptr);
  resolve(cancelled, BENTO_OK, nullptr, nullptr);
  EXPECT_EQ(promise->next().status().code(), BENTO_CANCELLED);
}

// ---- work on a thread ------------------------------------------------------------------------

TEST_F(TicketTest, WorkOnAThreadEndsWhenItHasReturnedAndNotBefore) {
  ThreadPool threads(1, 1);
  std::atomic<bool> may_end = false, has_begun = false;
  auto ticket = offload(on_loop(), threads, [&] {
    has_begun = true;
    has_begun.notify_all();
    may_end.wait(false);
  });
  ASSERT_TRUE(ticket.ok());
  (*ticket)->when(&count, &woken_);
  has_begun.wait(false);
  scope_->cancel(Status(BENTO_CANCELLED, "gone"));
  EXPECT_EQ((*ticket)->next().status().code(), BENTO_PENDING) << "it is still at work";
  EXPECT_EQ(woken_, 0);
  may_end = true;
  may_end.notify_all();
  while (woken_ == 0) loop_.step(1s);
  EXPECT_TRUE((*(*ticket)->next()).empty());
}

TEST_F(TicketTest, WorkThatStillWaitsForAThreadIsDoneWhenThePoolStops) {
  ThreadPool threads(1, 1);
  std::atomic<bool> may_end = false;
  int done = 0;
  auto first = offload(on_loop(), threads, [&] { may_end.wait(false); });
  auto second = offload(on_loop(), threads, [&] { ++done; });
  ASSERT_TRUE(first.ok() && second.ok());
  std::thread ender([&] {
    may_end = true;
    may_end.notify_all();
  });
  EXPECT_EQ(threads.stop(std::chrono::steady_clock::now() + 60s), 0u);
  ender.join();
  EXPECT_EQ(done, 1);
}

TEST_F(TicketTest, WorkThatCannotBeTakenIsAnError) {
  ThreadPool threads({.max_threads = 1, .permits = 1, .max_waiting = 0});
  std::atomic<bool> may_end = false;
  auto first = offload(on_loop(), threads, [&] { may_end.wait(false); });
  auto second = offload(on_loop(), threads, [] { FAIL() << "it was not taken"; });
  EXPECT_EQ(second.status().code(), BENTO_RESOURCE_EXHAUSTED);
  EXPECT_THAT(second.status().message(), HasSubstr("wait for a thread"));
  may_end = true;
  may_end.notify_all();
  (void)threads.stop(std::chrono::steady_clock::now() + 60s);
}

}  // namespace
}  // namespace bentohost::plugin
