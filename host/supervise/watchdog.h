// Watchdog: finds whether the serving process has hung: no sign of life for longer than a limit.
// Only time in which this process ran counts: when both were stopped (SIGSTOP, a frozen container,
// a virtual machine that was moved) neither hangs, and a suspended machine's clock stands still
// anyway. A value; time is an argument.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace bentohost::supervise {

class Watchdog {
 public:
  // With a limit of zero it never finds a hang.
  explicit Watchdog(Duration limit) : limit_(limit) {}

  // How often to call look(), and how often signs of life are wanted.
  Duration interval() const { return limit_ / 4; }
  TimePoint next_look() const { return limit_ == Duration::zero() ? kNoDeadline : next_look_; }

  // `sign_of_life` is when the last one came. More than an interval between two looks counts as one
  // interval: in the rest this process did not run either. True: the other process hangs.
  bool look(TimePoint sign_of_life, TimePoint now) {
    if (sign_of_life > looked_at_) silent_for_ = Duration::zero();
    const TimePoint since = std::max(looked_at_, sign_of_life);
    silent_for_ += std::clamp(now - since, Duration::zero(), interval());
    looked_at_ = now;
    next_look_ = now + interval();
    return limit_ != Duration::zero() && silent_for_ >= limit_;
  }
  // The process can send no sign of life now, or none is expected.
  void excuse(TimePoint now) {
    silent_for_ = Duration::zero();
    looked_at_ = now;
    next_look_ = now + interval();
  }

  bool is_silent() const { return silent_for_ > interval(); }
  Duration silent_for() const { return silent_for_; }

 private:
  Duration limit_;
  TimePoint looked_at_{}, next_look_{};
  Duration silent_for_{};
};

}  // namespace bentohost::supervise
