#include "base/process/line_relay.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace bentohost {
void LineRelay::feed(std::string_view bytes, TimePoint now) {
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t room = kLongestLine - std::min(kLongestLine, partial_.size());
    partial_.append(bytes.substr(0, std::min(end, room)));
    if (end == std::string_view::npos) return;
    line(partial_, now);
    partial_.clear();
    bytes.remove_prefix(end + 1);
  }
}

void LineRelay::finish(TimePoint now) {
  if (!partial_.empty()) line(partial_, now);
  partial_.clear();
  report_suppressed();
}

std::string LineRelay::last_lines() const {
  std::string joined;
  for (const std::string& text : kept_) joined += (joined.empty() ? "" : " | ") + text;
  return joined;
}

void LineRelay::line(std::string_view text, TimePoint now) {
  const LogLevel level = take_level(text);
  kept_.emplace_back(text.substr(0, 500));
  if (kept_.size() > kKeptLines) kept_.pop_front();

  if (now - window_ >= std::chrono::seconds(1)) {
    report_suppressed();
    window_ = now;
    in_window_ = 0;
  }
  if (++in_window_ > lines_per_second_) {
    ++suppressed_;
    return;
  }
  say(level, text);
}

void LineRelay::report_suppressed() {
  if (suppressed_ == 0) return;
  say(LogLevel::kWarning,
      std::to_string(std::exchange(suppressed_, 0)) + " lines of output were left out");
}

void LineRelay::say(LogLevel level, std::string_view text) const {
  if (worker_) {
    return log(level, text, {{"service", service_}, {"runner", origin_}, {"worker", *worker_}});
  }
  log(level, text, {{"stream", origin_}});
}

}  // namespace bentohost
