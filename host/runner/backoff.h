// Backoff: when to restart a worker that ended. Pure. A worker that has served is replaced at once;
// a worker that fails before it has served is restarted after 0.1 s, 0.2 s, ... up to 10 s; exit
// code 78 (EX_CONFIG of sysexits.h) means that trying again is useless.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace bentohost::runner {

class Backoff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);
  // After this many failures in a row, callers are refused at once; they do not wait for a retry.
  static constexpr unsigned kHopeless = 3;

  // How long to wait before the restart of a worker that ended.
  Duration next(bool had_served) {
    if (had_served) {
      failures_ = 0;
      return Duration::zero();
    }
    const Duration delay = kFirst * (1u << std::min(failures_, 10u));
    ++failures_;
    return std::min(delay, kLongest);
  }
  bool hopeless() const { return failures_ >= kHopeless; }
  unsigned failures() const { return failures_; }
  void reset() { failures_ = 0; }

 private:
  unsigned failures_ = 0;
};

}  // namespace bentohost::runner
