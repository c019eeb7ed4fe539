// Loop: the event loop of the Host, turned by hand, with a clock that is moved by hand. Part of
// <bento/testing.hpp>.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace bento::testing::internal {

// All functions but post_from_any(): one thing at a time, as the Host runs them.
class Loop {
 public:
  using Function = std::function<void()>;
  using Time = std::chrono::nanoseconds;  // since the Host was made
  struct Timer {
    Time due{};
    std::uint64_t number = 0;  // 0: none
    auto operator<=>(const Timer&) const = default;
  };

  Loop() = default;
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  Time now() const { return now_; }

  // Called in the next turn, never before.
  void post(Function f) { ready_.push_back(std::move(f)); }
  // [any]
  void post_from_any(Function f) {
    const std::lock_guard lock(mutex_);
    arrived_.push_back(std::move(f));
    has_arrived_.notify_one();
  }
  // Called in the turn after the clock has come to `due`.
  Timer at(Time due, Function f) {
    const Timer timer{due, ++timers_made_};
    timers_.emplace(timer, std::move(f));
    return timer;
  }
  void cancel(const Timer& timer) { timers_.erase(timer); }

  // Does what is ready now, and nothing that becomes ready by it. False: nothing was.
  bool turn() {
    {
      const std::lock_guard lock(mutex_);
      for (Function& f : arrived_) ready_.push_back(std::move(f));
      arrived_.clear();
    }
    while (!timers_.empty() && timers_.begin()->first.due <= now_) {
      ready_.push_back(std::move(timers_.begin()->second));
      timers_.erase(timers_.begin());
    }
    std::vector<Function> ready = std::exchange(ready_, {});
    for (const Function& f : ready) f();
    return !ready.empty();
  }
  // Whether something is for the next turn.
  bool is_ready() const { return !ready_.empty(); }
  // Moves the clock to the next timer, or to `end` if that comes first.
  void advance_to_next(Time end) {
    now_ = timers_.empty() ? end : std::min(end, std::max(now_, timers_.begin()->first.due));
  }

  // For what is not run by hand: a turn, after the clock has been moved to the next timer if there
  // is nothing else to do. While somebody outside may call post_from_any(), the clock is the real
  // one. False: nothing will ever be ready.
  bool turn_soon() {
    if (turn()) return true;
    std::optional<Time> next;
    if (!timers_.empty()) next = timers_.begin()->first.due;
    if (awaited_outside == 0) {
      if (!next) return false;
      now_ = *next;
    } else if (!wait(next ? std::optional<Time>(*next - now_) : std::nullopt)) {
      now_ = *next;
    }
    return turn();
  }

  std::size_t awaited_outside = 0;  // promises that are to be resolved

 private:
  // For post_from_any(). False: the time has passed.
  bool wait(std::optional<Time> longest) {
    std::unique_lock lock(mutex_);
    const auto has_arrived = [this] { return !arrived_.empty(); };
    if (longest) return has_arrived_.wait_for(lock, *longest, has_arrived);
    has_arrived_.wait(lock, has_arrived);
    return true;
  }

  Time now_{};
  std::vector<Function> ready_;
  std::map<Timer, Function> timers_;
  std::uint64_t timers_made_ = 0;
  std::mutex mutex_;
  std::condition_variable has_arrived_;
  std::vector<Function> arrived_;  // from other threads
};

}  // namespace bento::testing::internal
