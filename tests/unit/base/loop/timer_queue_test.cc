#include "base/loop/timer_queue.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <random>

namespace bentohost {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

const TimePoint kStart{};

struct Owner final : Timer::Owner {
  explicit Owner(TimerQueue& queue) : timer(queue, *this) {}
  void on_timer() override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
  Timer timer;
};

TEST(TimerQueue, FiresWhatIsDueInItsOrder) {
  TimerQueue queue;
  std::string order;
  Owner a(queue), b(queue), c(queue);
  a.then = [&] { order += 'a'; };
  b.then = [&] { order += 'b'; };
  c.then = [&] { order += 'c'; };
  a.timer.set(kStart + 3s);
  b.timer.set(kStart + 1s);
  c.timer.set(kStart + 2s);
  EXPECT_EQ(queue.next(), kStart + 1s);
  queue.run(kStart + 2s);
  EXPECT_EQ(order, "bc");
  queue.run(kStart + 3s);
  EXPECT_EQ(order, "bca");
  EXPECT_EQ(queue.next(), kNoDeadline);
}

TEST(TimerQueue, PutsOffWithoutFiringAtTheOldTime) {
  TimerQueue queue;
  Owner owner(queue);
  owner.timer.set(kStart + 1s);
  owner.timer.set(kStart + 5s);
  EXPECT_LE(queue.next(), kStart + 5s);
  queue.run(kStart + 1s);
  EXPECT_EQ(owner.fired, 0);
  EXPECT_EQ(queue.next(), kStart + 5s);
  queue.run(kStart + 5s);
  EXPECT_EQ(owner.fired, 1);
}

TEST(TimerQueue, BringsForward) {
  TimerQueue queue;
  Owner owner(queue);
  owner.timer.set(kStart + 5s);
  owner.timer.set(kStart + 1s);
  queue.run(kStart + 1s);
  EXPECT_EQ(owner.fired, 1);
  queue.run(kStart + 5s);
  EXPECT_EQ(owner.fired, 1);
}

TEST(TimerQueue, ForgetsWhatIsClearedOrDestroyed) {
  TimerQueue queue;
  Owner cleared(queue);
  auto destroyed = std::make_unique<Owner>(queue);
  Owner last(queue);
  cleared.timer.set(kStart + 1s);
  destroyed->timer.set(kStart + 2s);
  last.timer.set(kStart + 3s);
  cleared.timer.clear();
  destroyed.reset();
  EXPECT_EQ(queue.next(), kStart + 3s);
  queue.run(kStart + 3s);
  EXPECT_EQ(cleared.fired, 0);
  EXPECT_EQ(last.fired, 1);
}

TEST(TimerQueue, LetsACallbackSetItsTimerAgainOrDestroyIt) {
  TimerQueue queue;
  Owner again(queue);
  again.then = [&] { again.timer.set(kStart + 2s); };
  auto dying = std::make_unique<Owner>(queue);
  dying->then = [&] { dying.reset(); };
  again.timer.set(kStart + 1s);
  dying->timer.set(kStart + 1s);
  queue.run(kStart + 1s);
  EXPECT_EQ(again.fired, 1);
  EXPECT_EQ(dying, nullptr);
  EXPECT_EQ(queue.next(), kStart + 2s);
}

TEST(TimerQueue, KeepsItsOrderThroughWhateverHappens) {
  std::mt19937 random(1);
  TimerQueue queue;
  std::vector<std::unique_ptr<Owner>> owners;
  for (int i = 0; i < 50; ++i) owners.push_back(std::make_unique<Owner>(queue));
  TimePoint now = kStart;
  for (int step = 0; step < 20'000; ++step) {
    auto& owner = owners[random() % owners.size()];
    switch (random() % 4) {
      case 0:
        owner->timer.clear();
        break;
      case 1:
        owner = std::make_unique<Owner>(queue);
        break;
      default:
        owner->timer.set(now + 1ms * (random() % 1000));
    }
    if (step % 10 != 0) continue;
    now += 1ms * (random() % 50);
    queue.run(now);
    for (const auto& each : owners) EXPECT_GT(each->timer.when(), now);
    EXPECT_GT(queue.next(), now);
  }
}

}  // namespace
}  // namespace bentohost
