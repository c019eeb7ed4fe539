// Backoff: when a worker that ended is started again. Pure. A worker that had served is replaced at
// once; one that fails before it has served is given 0.1 s, 0.2 s, ... up to 10 s; exit code 78
// (EX_CONFIG of sysexits.h) says that trying again is useless.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace bentohost::runner {

class Backoff {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);
  // So many failures in a row and callers are refused at once instead of waiting for the next try.
  static constexpr unsigned kHopeless = 3;

  // After the end of a worker: how long to wait.
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
