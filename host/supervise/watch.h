// Watch: the supervisor's two watchdogs. systemd's watches the supervisor and, if the supervisor
// has no watchdog of its own, the serving process behind it. The supervisor's own watches the
// serving process and replaces it; its limit is shorter than systemd's, which would end the whole
// service. One thread.
#pragma once

#include <optional>

#include "base/clock.h"
#include "supervise/notify.h"
#include "supervise/serving_process.h"
#include "supervise/watchdog.h"

namespace bentohost::supervise {

class Watch {
 public:
  // The time that a process gets to report where it hangs.
  static constexpr Duration kReportTime = std::chrono::seconds(5);

  // `limit` is that of --watchdog; zero turns this watchdog off.
  Watch(Duration limit, TimePoint now);

  // How often signs of life are wanted, for either watchdog. Zero: never.
  Duration beat() const;
  // When turn() wants to be called.
  TimePoint next() const;
  // `serving` is null if no process serves, or if it is ending. Returns true if it hangs, was told
  // to report where, and did not end within kReportTime.
  bool turn(ServingProcess* serving, TimePoint now);

 private:
  void feed(const ServingProcess* serving, TimePoint now);
  void look(ServingProcess* serving, TimePoint now);

  const std::optional<Duration> systemds_ = watchdog_interval();
  Watchdog ours_;
  TimePoint feed_at_ = kNoDeadline, end_at_ = kNoDeadline;
  bool is_late_ = false;  // signs of life are late, and the log says so
};

}  // namespace bentohost::supervise
