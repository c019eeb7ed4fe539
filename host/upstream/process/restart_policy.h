// RestartPolicy: when an app's process that has ended is started again. Pure; the time is an
// argument. One that had served for a while is replaced at once. Those that end early wait, each
// time longer; when that happens several times in a row, the circuit is open: one attempt every
// 30 s. Exit code 78 (EX_CONFIG of sysexits.h) says that trying again is useless: once a minute, in
// case somebody corrects the file that it complains of.
#pragma once

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/clock.h"

namespace bentohost::upstream {

class RestartPolicy {
 public:
  static constexpr Duration kFirst = std::chrono::milliseconds(100);
  static constexpr Duration kLongest = std::chrono::seconds(10);
  static constexpr Duration kOpenCircuit = std::chrono::seconds(30);
  static constexpr Duration kUseless = std::chrono::seconds(60);
  // A process that has served for so long is no failure, whatever ends it.
  static constexpr Duration kStable = std::chrono::seconds(10);
  static constexpr unsigned kFailuresToOpen = 8;
  static constexpr int kConfigurationError = 78;

  struct End {
    std::optional<Duration> served;  // from ready to the end; none if it was never ready
    std::optional<int> exit_code;    // none if a signal killed it
  };

  // How long to wait before the next start.
  Duration next(const End& end) {
    if (end.served >= kStable) failures_ = waits_ = 0;
    ++failures_;
    if (end.exit_code == kConfigurationError) return kUseless;
    if (is_circuit_open()) return kOpenCircuit;
    // The first death of one that has served: perhaps a single bad request.
    if (end.served.has_value() && failures_ == 1) return Duration::zero();
    const Duration delay = kFirst * (1u << std::min(waits_++, 10u));
    return std::min(delay, kLongest);
  }
  bool is_circuit_open() const { return failures_ >= kFailuresToOpen; }

 private:
  unsigned failures_ = 0, waits_ = 0;  // in a row
};

}  // namespace bentohost::upstream
