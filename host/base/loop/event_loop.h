// EventLoop: one thread that waits for descriptors, posted functions and time. All callbacks run on
// that thread and must not block. The order within a turn: events, posted functions, tickers,
// timers, and last the callbacks for the end of the turn.
#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/loop/timer_queue.h"
#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost {

class EventLoop {
 public:
  // How late, at most, a ticker notices that a time limit has passed.
  static constexpr Duration kTick = std::chrono::milliseconds(25);

  // `between_ticks`: tickers are called in each turn, but not more often than that; a busy loop has
  // tens of thousands of turns a second. Throws std::system_error if no descriptor is left: loops
  // are made at the start.
  explicit EventLoop(const Clock& clock, Duration between_ticks = Duration::zero());
  ~EventLoop();  // calls stop(); never on the loop's own thread
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void start();  // a thread that calls step() until stop(); tests call step() themselves
  void stop();   // functions posted before still run; later ones never do
  // Waits at most `longest` for something to happen and handles it.
  void step(Duration longest);

  // The loop whose thread this is, or null.
  static EventLoop* current();
  const Clock& clock() const { return clock_; }
  // [loop] The time at this turn's beginning: the clock is read once for all that happens in a
  // turn.
  TimePoint now() const { return now_; }

  // [any] Runs `f` on the loop, in the order posted.
  void post(std::function<void()> f);

  // [any, not loop] Returns when the loop has done all that it was asked to do before, including
  // callbacks at the end of a turn; or after `longest`. False: the loop did not get there in time.
  bool let_turn(Duration longest);
  // [any] Keeps `what` alive until then, or until the loop stops: for objects that the loop may
  // still call.
  void hold_for_a_turn(std::shared_ptr<const void> what);

  // [loop] Calls `whom` once at the end of this turn, however often this is called. If called at
  // the end of a turn, the callback comes at the end of the next turn, which follows at once.
  class TurnEnd {
   public:
    virtual void on_turn_end() = 0;

   protected:
    ~TurnEnd() = default;
  };
  void at_turn_end(TurnEnd& whom);

  // [loop] Remove an fd before you close it. The watcher is not called after remove().
  class Watcher {
   public:
    virtual void on_events(std::uint32_t epoll_events) = 0;

   protected:
    ~Watcher() = default;
  };
  // RESOURCE_EXHAUSTED, and nothing is watched: the user's limit of watched descriptors
  // (fs.epoll.max_user_watches) is reached, or memory is out.
  [[nodiscard]] Status add(int fd, std::uint32_t epoll_events, Watcher& watcher);
  void remove(int fd, const Watcher& watcher);

  // [loop] The same with functions. A function may unwatch itself.
  [[nodiscard]] Status watch(int fd, std::uint32_t epoll_events,
                             std::function<void(std::uint32_t)> on_event);
  void set_events(int fd, std::uint32_t epoll_events);  // [any] for a watched fd
  void unwatch(int fd);

  // [loop] For deadlines of single objects. They are precise to the millisecond.
  TimerQueue& timers() { return timers_; }

  // A ticker checks many time limits at once. It is called with the time, and returns whether any
  // time limit is pending; if so, it is called again within kTick. When no ticker has one, the loop
  // sleeps until something else happens.
  using Ticker = std::function<bool(TimePoint now)>;
  using TickerId = std::uint64_t;
  TickerId add_ticker(Ticker ticker);  // [loop, or before start]
  void remove_ticker(TickerId id);     // [loop, but not from within a ticker]
  // [any] Call when a ticker gets a pending time limit. Cheap while the loop ticks.
  void ensure_ticking();

 private:
  class FunctionWatcher;
  // How long the loop ticks on after the last pending time limit, so that a steady trickle of calls
  // does not have to wake it each time.
  static constexpr Duration kLinger = std::chrono::milliseconds(100);

  Duration time_until(TimePoint deadline) const;
  int timeout_ms(Duration longest) const;
  void handle(std::span<epoll_event> events);
  void forget_events_of(const void* watcher);
  void run_posted();
  void run_turn_ends();
  bool tick();
  void wake();

  const Clock& clock_;
  const Duration between_ticks_;
  Mutex mutex_;
  UniqueFd epoll_, wake_;
  TimePoint now_;
  std::array<epoll_event, 128> events_;
  std::span<epoll_event> unhandled_;  // of this turn
  std::unordered_map<int, std::unique_ptr<FunctionWatcher>> functions_ BENTO_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<FunctionWatcher>> unwatched_;  // of this turn
  TimerQueue timers_;
  std::vector<TurnEnd*> turn_ends_, ending_;
  std::map<TickerId, Ticker> tickers_;
  TickerId next_ticker_ = 1;
  TimePoint last_need_{}, last_tick_{};
  bool owes_tick_ = false;  // it is too early for one
  std::atomic<bool> ticking_ = false;
  std::atomic<bool> stopping_ = false;

  std::vector<std::function<void()>> posted_ BENTO_GUARDED_BY(mutex_);
  std::atomic<bool> has_posted_ = false;  // changed under mutex_
  bool stopped_ BENTO_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> running_;
  std::thread thread_;
};

}  // namespace bentohost
