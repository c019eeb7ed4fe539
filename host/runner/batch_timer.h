// BatchTimer: wakes an event loop within microseconds of a time that any thread may set: the loop's
// own timers are precise to the millisecond, and are its thread's alone.
#pragma once

#include <functional>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/unique_fd.h"

namespace bentohost::runner {

class BatchTimer {
 public:
  // Before any other thread has it. Where there is no descriptor left, it never rings.
  void create();
  // [loop] Calls `on_ring` on the loop from now on, until unwatch(). It may be called early.
  void watch(EventLoop& loop, std::function<void()> on_ring);
  void unwatch(EventLoop& loop);  // [loop]
  // [any] Rings after `wait`, and not when it was to ring before.
  void set(Duration wait);

 private:
  UniqueFd fd_;
  bool is_watched_ = false;  // loop
};

}  // namespace bentohost::runner
