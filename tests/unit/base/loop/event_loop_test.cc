#include "base/loop/event_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "fakes/fake_clock.h"

namespace bentohost {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
    reading.reset(ends[0]);
    writing.reset(ends[1]);
  }
  void write() const { EXPECT_EQ(::write(writing.get(), "x", 1), 1); }
  UniqueFd reading, writing;
};

class EventLoopTest : public testing::Test {
 protected:
  void step() { loop_.step(Duration::zero()); }

  fakes::FakeClock clock_;
  EventLoop loop_{clock_};
};

TEST_F(EventLoopTest, RunsWhatIsPostedInItsOrder) {
  std::string order;
  loop_.post([&] {
    order += 'a';
    loop_.post([&] { order += 'c'; });
  });
  loop_.post([&] { order += 'b'; });
  step();
  EXPECT_EQ(order, "ab");
  step();
  EXPECT_EQ(order, "abc");
}

TEST_F(EventLoopTest, TellsOfAnEventAsLongAsItLasts) {
  const Pipe pipe;
  int told = 0;
  const auto on_events = [&](std::uint32_t events) {
    EXPECT_EQ(events, static_cast<std::uint32_t>(EPOLLIN));
    ++told;
  };
  ASSERT_TRUE(loop_.watch(pipe.reading.get(), EPOLLIN, on_events).ok());
  step();
  EXPECT_EQ(told, 0);
  pipe.write();
  step();
  step();
  EXPECT_EQ(told, 2);
  loop_.unwatch(pipe.reading.get());
  step();
  EXPECT_EQ(told, 2);
}

TEST_F(EventLoopTest, WatchesForWhatItIsToldLater) {
  const Pipe pipe;
  int told = 0;
  ASSERT_TRUE(loop_.watch(pipe.writing.get(), 0, [&](std::uint32_t) { ++told; }).ok());
  step();
  EXPECT_EQ(told, 0);
  loop_.set_events(pipe.writing.get(), EPOLLOUT);
  step();
  EXPECT_EQ(told, 1);
}

TEST_F(EventLoopTest, HoldsBackAnEventOfWhatACallbackUnwatched) {
  const Pipe a, b;
  int told = 0;
  const auto watch = [&](const Pipe& mine, const Pipe& other) {
    const auto on_events = [&](std::uint32_t) {
      ++told;
      loop_.unwatch(other.reading.get());
    };
    EXPECT_TRUE(loop_.watch(mine.reading.get(), EPOLLIN, on_events).ok());
    mine.write();
  };
  watch(a, b);
  watch(b, a);
  step();
  EXPECT_EQ(told, 1);
}

TEST_F(EventLoopTest, LetsACallbackUnwatchItself) {
  const Pipe pipe;
  auto alive = std::make_shared<int>(7);
  const std::weak_ptr<int> weak = alive;
  const Status watched =
      loop_.watch(pipe.reading.get(), EPOLLIN, [this, &pipe, alive](std::uint32_t) {
        loop_.unwatch(pipe.reading.get());
        EXPECT_EQ(*alive, 7) << "what it captured lives until it returns";
      });
  ASSERT_TRUE(watched.ok());
  alive.reset();
  pipe.write();
  step();
  EXPECT_TRUE(weak.expired());
}

TEST_F(EventLoopTest, SaysWhatItCannotWatch) {
  const UniqueFd file(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC));  // files cannot be watched
  int told = 0;
  const Status status = loop_.watch(file.get(), EPOLLIN, [&](std::uint32_t) { ++told; });
  EXPECT_EQ(status.message(), "epoll_ctl: Operation not permitted");
  loop_.set_events(file.get(), EPOLLIN);
  loop_.unwatch(file.get());
  step();
  EXPECT_EQ(told, 0);
}

TEST_F(EventLoopTest, HoldsWhatItMightStillCallUntilItHasTurned) {
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> weak = held;
  struct Caller final : EventLoop::TurnEnd {
    void on_turn_end() override { EXPECT_FALSE(held.expired()); }
    std::weak_ptr<int> held;
  } caller;
  caller.held = weak;
  loop_.post([&] { loop_.at_turn_end(caller); });
  loop_.hold_for_a_turn(std::move(held));
  step();
  EXPECT_FALSE(weak.expired());
  step();
  step();
  EXPECT_TRUE(weak.expired());
}

TEST_F(EventLoopTest, LetsGoOfWhatItHoldsWhenItStops) {
  auto held = std::make_shared<int>(7);
  const std::weak_ptr<int> weak = held;
  loop_.hold_for_a_turn(std::move(held));
  loop_.stop();
  EXPECT_TRUE(weak.expired());
}

TEST_F(EventLoopTest, TicksAtEachStepAndHasItsClocksTime) {
  std::vector<TimePoint> ticks;
  loop_.add_ticker([&](TimePoint now) {
    ticks.push_back(now);
    return true;
  });
  step();
  clock_.advance(3s);
  step();
  ASSERT_EQ(ticks.size(), 2u);
  EXPECT_EQ(ticks[1] - ticks[0], 3s);
}

TEST_F(EventLoopTest, TicksNoMoreOftenThanItsTimeBetweenTicks) {
  EventLoop loop(clock_, 1ms);
  int ticks = 0;
  loop.add_ticker([&](TimePoint) {
    ++ticks;
    return true;
  });
  loop.step(Duration::zero());
  loop.step(Duration::zero());
  EXPECT_EQ(ticks, 1);
  clock_.advance(999us);
  loop.step(Duration::zero());
  EXPECT_EQ(ticks, 1);
  clock_.advance(1us);
  loop.step(Duration::zero());
  EXPECT_EQ(ticks, 2);
}

TEST_F(EventLoopTest, TicksAtOnceForANeedThatComesBetweenTicks) {
  EventLoop loop(clock_, 1ms);
  int ticks = 0;
  loop.add_ticker([&](TimePoint) {
    ++ticks;
    return false;
  });
  loop.step(Duration::zero());  // nothing ticks from now on
  loop.ensure_ticking();
  loop.step(Duration::zero());
  EXPECT_EQ(ticks, 2);
}

TEST_F(EventLoopTest, AsksEveryTickerEvenWhenOneHasNeed) {
  int asked = 0;
  for (int i = 0; i < 3; ++i) {
    loop_.add_ticker([&](TimePoint) {
      ++asked;
      return true;
    });
  }
  step();
  EXPECT_EQ(asked, 3);
}

TEST_F(EventLoopTest, ForgetsATickerThatIsRemoved) {
  int kept = 0, removed = 0;
  loop_.add_ticker([&](TimePoint) { return ++kept < 100; });
  const auto id = loop_.add_ticker([&](TimePoint) { return ++removed < 100; });
  step();
  loop_.remove_ticker(id);
  step();
  EXPECT_EQ(kept, 2);
  EXPECT_EQ(removed, 1);
}

TEST(EventLoopThread, TurnsAreWaitedForWithTheirEnds) {
  const SteadyClock clock;
  EventLoop loop(clock);
  struct AtEnd final : EventLoop::TurnEnd {
    void on_turn_end() override { came = true; }
    bool came = false;
  } at_end;
  loop.start();
  loop.post([&] { loop.at_turn_end(at_end); });
  EXPECT_TRUE(loop.let_turn(1min));
  EXPECT_TRUE(at_end.came);
}

TEST(EventLoopThread, OneThatHasStoppedIsNotWaitedFor) {
  const SteadyClock clock;
  EventLoop loop(clock);
  loop.stop();
  const TimePoint began = clock.now();
  EXPECT_TRUE(loop.let_turn(1min)) << "there is nothing that it still has to do";
  EXPECT_LT(clock.now() - began, 30s);
}

TEST(EventLoopThread, RunsWhatWasPostedBeforeItStops) {
  const SteadyClock clock;
  int ran = 0;
  {
    EventLoop loop(clock);
    loop.start();
    for (int i = 0; i < 100; ++i) loop.post([&] { ++ran; });
    loop.stop();
    EXPECT_EQ(ran, 100);
  }
  EXPECT_EQ(ran, 100);
}

// A loop whose tickers need nothing sleeps without end: only ensure_ticking() makes it tick.
TEST(EventLoopThread, TicksForANeedThatComesWhileItSleeps) {
  const SteadyClock clock;
  std::mutex mutex;
  std::condition_variable ticked;
  bool need = false, served = false;
  EventLoop loop(clock);  // destroyed before the variables that its ticker uses
  loop.add_ticker([&](TimePoint) {
    std::lock_guard lock(mutex);
    if (need) served = true;
    ticked.notify_all();
    return std::exchange(need, false);
  });
  loop.start();
  std::unique_lock lock(mutex);
  need = true;
  lock.unlock();
  loop.ensure_ticking();
  lock.lock();
  EXPECT_TRUE(ticked.wait_for(lock, 1min, [&] { return served; }));
}

}  // namespace
}  // namespace bentohost
