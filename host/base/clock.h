// Clock: everything with a time limit reads the time through this seam, so that tests can move it
// by hand. Monotonic: a jump of the wall clock fires no timeout. Any thread.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

namespace bentohost {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
inline constexpr TimePoint kNoDeadline = TimePoint::max();

class Clock {
 public:
  virtual ~Clock() = default;
  virtual TimePoint now() const = 0;
};

class SteadyClock final : public Clock {
 public:
  TimePoint now() const override { return std::chrono::steady_clock::now(); }
};

inline double seconds(Duration d) { return std::chrono::duration<double>(d).count(); }
// For people: "60 s", "0.25 s".
inline std::string seconds_text(Duration d) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g s", seconds(d));
  return text;
}
// For the log, with one decimal: "0.0 s", "12.3 s".
inline std::string in_seconds(Duration d) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds(d));
  return text;
}

}  // namespace bentohost
