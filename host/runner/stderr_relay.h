// StderrRelay: a worker's stderr, line by line, into the host's log: rate-limited, so that a plugin
// that prints without end costs nobody anything, and with the last lines kept for the report of its
// death. A line may begin with a level as systemd's services write it, "<3>" (sd-daemon(3)). One
// thread.
#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace bentohost::runner {

class StderrRelay {
 public:
  static constexpr std::size_t kLinesPerSecond = 100;
  static constexpr std::size_t kLongestLine = 4096;
  static constexpr std::size_t kKeptLines = 20;

  StderrRelay(std::string runner, std::uint32_t worker)
      : runner_(std::move(runner)), worker_(std::to_string(worker)) {}

  void feed(std::string_view bytes, TimePoint now);
  void finish(TimePoint now);  // a last line without its newline
  // The last lines, oldest first, joined by " | ".
  std::string last_lines() const;

 private:
  void line(std::string_view text, TimePoint now);
  void report_suppressed();

  std::string runner_, worker_, partial_;
  std::deque<std::string> kept_;
  TimePoint window_{};
  std::size_t in_window_ = 0, suppressed_ = 0;
};

}  // namespace bentohost::runner
