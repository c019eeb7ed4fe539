// EventLoop: one thread that waits for descriptors, posted functions and time. Whatever it calls
// runs on that thread and must not block. Each turn goes: events, posted functions, tickers,
// timers, and last those who asked to be called at the end of it.
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
  // The coarsest error of a time limit that a ticker keeps.
  static constexpr Duration kTick = std::chrono::milliseconds(25);

  // Throws std::system_error where there is no descriptor left for it: loops are made at the start.
  explicit EventLoop(const Clock& clock);
  ~EventLoop();  // stop(); but never on its own thread
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void start();  // a thread that calls step() until stop(); tests call step() themselves
  void stop();   // what was posted before still runs; what is posted later never does
  // Waits at most `longest` for something to happen and handles it.
  void step(Duration longest);

  // The loop whose thread this is, or null.
  static EventLoop* current();
  const Clock& clock() const { return clock_; }
  // [loop] The time as of this turn's beginning, or of its last refresh: one look at the clock
  // serves all that happens at once.
  TimePoint now() const { return now_; }

  // [any] Runs `f` on the loop, in the order posted.
  void post(std::function<void()> f);

  // [any, not loop] Returns when the loop has done all that it was asked for before, what was asked
  // for at the end of a turn included; or after `longest`. False: it did not turn in time.
  bool let_turn(Duration longest);
  // [any] Lets go of `what` as soon as that is so, or when the loop stops: for those whom it might
  // still call.
  void hold_for_a_turn(std::shared_ptr<const void> what);

  // [loop] Calls it once at the end of this turn, however often it is asked for; what is asked for
  // at the end of a turn comes at the end of the next, which follows at once.
  class TurnEnd {
   public:
    virtual void on_turn_end() = 0;

   protected:
    ~TurnEnd() = default;
  };
  void at_turn_end(TurnEnd& whom);

  // [loop] An fd is removed before it is closed; nothing is called for it afterwards.
  class Watcher {
   public:
    virtual void on_events(std::uint32_t epoll_events) = 0;

   protected:
    ~Watcher() = default;
  };
  // RESOURCE_EXHAUSTED, and nothing is watched: the user's limit of watched descriptors
  // (fs.epoll.max_user_watches), or no memory.
  [[nodiscard]] Status add(int fd, std::uint32_t epoll_events, Watcher& watcher);
  void remove(int fd, const Watcher& watcher);

  // [loop] The same with functions. A function may unwatch itself.
  [[nodiscard]] Status watch(int fd, std::uint32_t epoll_events,
                             std::function<void(std::uint32_t)> on_event);
  void set_events(int fd, std::uint32_t epoll_events);  // [any] for an fd that is watched
  void unwatch(int fd);

  // [loop] For deadlines of single objects: they fire when they are due, to the millisecond.
  TimerQueue& timers() { return timers_; }

  // A ticker looks after many time limits at once: called with now, it returns whether it has any
  // that run, and then is called again within kTick. When no ticker has, the loop sleeps without
  // end.
  using Ticker = std::function<bool(TimePoint now)>;
  using TickerId = std::uint64_t;
  TickerId add_ticker(Ticker ticker);  // [loop, or before start]
  void remove_ticker(TickerId id);     // [loop, but not from within a ticker]
  // [any] Says that a ticker has a time limit to look after from now on. Cheap while the loop
  // ticks.
  void ensure_ticking();

 private:
  class FunctionWatcher;
  // The loop ticks on for a moment after the last need, so that a steady trickle of calls does not
  // have to wake it for each.
  static constexpr Duration kLinger = std::chrono::milliseconds(100);

  int timeout_ms(Duration longest) const;
  void handle(std::span<epoll_event> events);
  void forget_events_of(const void* watcher);
  void run_posted();
  void run_turn_ends();
  bool tick();
  void wake();

  const Clock& clock_;
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
  TimePoint last_need_{};
  std::atomic<bool> ticking_ = false;
  std::atomic<bool> stopping_ = false;

  std::vector<std::function<void()>> posted_ BENTO_GUARDED_BY(mutex_);
  bool stopped_ BENTO_GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> running_;
  std::thread thread_;
};

}  // namespace bentohost
