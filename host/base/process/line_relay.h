// LineRelay: what plugins' code prints, line by line, into the host's log: a worker's output, or a
// stream of the serving process. Rate-limited, so that a plugin that prints without end costs
// nobody anything, and with the last lines kept for the report of a death. A line may begin with a
// level as systemd's services write it, "<3>" (sd-daemon(3)). One thread.
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
  explicit LineRelay(std::string stream) : origin_(std::move(stream)) {}

  void feed(std::string_view bytes, TimePoint now);
  void finish(TimePoint now);  // a last line without its newline
  // The last lines, oldest first, joined by " | ".
  std::string last_lines() const;
  // What has come of a line whose end has not.
  std::string_view partial() const { return partial_; }

 private:
  void line(std::string_view text, TimePoint now);
  void report_suppressed();
  void say(LogLevel level, std::string_view text) const;

  std::string service_, origin_, partial_;
  std::optional<std::uint32_t> worker_;
  std::deque<std::string> kept_;
  TimePoint window_{};
  std::size_t in_window_ = 0, suppressed_ = 0;
};

}  // namespace bentohost
