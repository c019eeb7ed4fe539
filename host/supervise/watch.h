// Watch: the two watchdogs that a supervisor has to do with. systemd's watches the supervisor, and
// for as long as that has no watchdog of its own, the serving process behind it. The supervisor's
// own watches the serving process, and replaces it; it takes less time than systemd's, which would
// end the whole service for it. One thread.
#pragma once

#include <optional>

#include "base/clock.h"
#include "supervise/notify.h"
#include "supervise/serving_process.h"
#include "supervise/watchdog.h"

namespace bentohost::supervise {

class Watch {
 public:
  // What a process that hangs gets to say where.
  static constexpr Duration kReportTime = std::chrono::seconds(5);

  // `limit`: of our own; zero: there is none.
  Watch(Duration limit, TimePoint now);

  // How often signs of life are wanted: for either watchdog. Zero: never.
  Duration beat() const;
  // When turn() wants to be called.
  TimePoint next() const;
  // `serving`: the process that serves and is to go on; null: there is none, or it is ending.
  // True: it hangs, has been told to say where, and has had its time for it.
  bool turn(ServingProcess* serving, TimePoint now);

 private:
  void feed(const ServingProcess* serving, TimePoint now);
  void look(ServingProcess* serving, TimePoint now);

  const std::optional<Duration> systemds_ = watchdog_interval();
  Watchdog ours_;
  TimePoint feed_at_ = kNoDeadline, end_at_ = kNoDeadline;
  bool is_late_ = false;  // its signs of life are, and the log says so
};

}  // namespace bentohost::supervise
