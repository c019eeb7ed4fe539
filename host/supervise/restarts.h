// How often, and why, the serving process was replaced, and when the next one is started. Values;
// time is an argument.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace bentohost::supervise {

// By reason, as base/process_exit.h labels it: "SIGSEGV", "exit_1".
using RestartCounts = std::map<std::string, unsigned, std::less<>>;

// "SIGABRT:1,SIGSEGV:2", for the environment of a process; malformed counts are skipped.
std::string to_text(const RestartCounts& counts);
RestartCounts parse_restart_counts(std::string_view text);

// A serving process that dies is replaced at once, and so is its successor if it has served for
// kLongEnough. If successors die young, the delay is 0.1 s, 0.2 s, ... up to 10 s.
class RestartPolicy {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);
  // A process that has served for this long is not in a crash loop.
  static constexpr Duration kLongEnough = std::chrono::seconds(10);

  // After a death: how long to wait. `served`: how long the process had been ready; zero: never.
  Duration next(Duration served) {
    if (served >= kLongEnough) deaths_ = 0;
    const unsigned before = deaths_++;
    if (before == 0) return Duration::zero();
    return std::min<Duration>(kFirst * (1u << std::min(before - 1, 10u)), kLongest);
  }

 private:
  unsigned deaths_ = 0;  // of young processes, in a row
};

}  // namespace bentohost::supervise
