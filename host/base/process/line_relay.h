// LineRelay: passes what plugins print to the host's log, line by line: the output of a worker, or
// a stream of the serving process. Rate-limited, so that a plugin that prints without end harms
// nobody. The last lines are kept for the report of a death. A line may begin with a level, "<3>",
// as systemd services write it (sd-daemon(3)). One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "base/log.h"

namespace bentohost {

class LineRelay {
 public:
  static constexpr std::size_t kLinesPerSecond = 100;
  static constexpr std::size_t kLongestLine = 4096;
  static constexpr std::size_t kKeptLines = 20;

  // Lines have the fields "service", "runner" and "worker", or "stream".
  LineRelay(std::string service, std::string runner, std::uint32_t worker)
      : service_(std::move(service)), origin_(std::move(runner)), worker_(worker) {}
  explicit LineRelay(std::string stream, std::size_t lines_per_second = kLinesPerSecond)
      : origin_(std::move(stream)), lines_per_second_(lines_per_second) {}

  void feed(std::string_view bytes, TimePoint now);
  void finish(TimePoint now);  // logs a last line that has no newline
  // The last lines, oldest first, joined by " | ".
  std::string last_lines() const;
  // The beginning of a line that has not ended yet.
  std::string_view partial() const { return partial_; }

 private:
  void line(std::string_view text, TimePoint now);
  void report_suppressed();
  void say(LogLevel level, std::string_view text) const;

  std::string service_, origin_, partial_;
  std::optional<std::uint32_t> worker_;
  std::deque<std::string> kept_;
  std::size_t lines_per_second_ = kLinesPerSecond;
  TimePoint window_{};
  std::size_t in_window_ = 0, suppressed_ = 0;
};

}  // namespace bentohost
