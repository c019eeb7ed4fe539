// EventLoop: one thread that waits for descriptors, posted functions and time, for all runners of
// the process. Callbacks run on that thread and must not block.
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost::runner {

class EventLoop {
 public:
  // The coarsest error of a time limit that a ticker keeps.
  static constexpr Duration kTick = std::chrono::milliseconds(25);

  explicit EventLoop(const Clock& clock);
  ~EventLoop();  // stop()
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  void start();  // a thread that calls step() until stop(); tests call step() themselves
  void stop();   // what was posted before still runs
  // Waits at most `longest` for something to happen and handles it.
  void step(Duration longest);

  // [any] Runs `f` on the loop, in the order posted.
  void post(std::function<void()> f);

  // [loop] Level-triggered; `on_event` gets the epoll events. An fd must be unwatched before it is
  // closed.
  void watch(int fd, std::uint32_t events, std::function<void(std::uint32_t)> on_event);
  // [any] for an fd that is watched.
  void set_events(int fd, std::uint32_t events);
  void unwatch(int fd);  // [loop]

  // A ticker looks after time limits: called with now, it returns whether it has any that run, and
  // then is called again within kTick. When no ticker has, the loop sleeps without end.
  using Ticker = std::function<bool(TimePoint now)>;
  void add_ticker(Ticker ticker);  // [before start]
  // [any] Says that a ticker has a time limit to look after from now on. Cheap while the loop
  // ticks.
  void ensure_ticking();

 private:
  struct Watch {
    std::function<void(std::uint32_t)> on_event;
  };
  // The loop ticks on for a moment after the last need, so that a steady trickle of calls does not
  // have to wake it for each.
  static constexpr Duration kLinger = std::chrono::milliseconds(100);

  int timeout_ms(Duration longest);
  bool tick();
  void run_posted();
  void wake();

  const Clock& clock_;
  UniqueFd epoll_, wake_;
  std::unordered_map<int, std::shared_ptr<Watch>> watches_;
  std::vector<Ticker> tickers_;
  TimePoint last_need_{};
  std::atomic<bool> ticking_ = false;
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;
  std::vector<std::function<void()>> posted_;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace bentohost::runner
