#include "base/process/signal_safe_line.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>

namespace bentohost {
namespace {

constexpr std::size_t kTail = 4;  // reserved for the end of a line
constexpr char kDigits[] = "0123456789abcdef";

struct Date {
  std::int64_t year;
  unsigned month, day;
};

// gmtime(3) may lock. This is civil_from_days of Howard Hinnant, "chrono-Compatible Low-Level Date
// Algorithms".
Date date_of(std::int64_t days) {
  days += 719468;
  const std::int64_t era = days / 146097;
  const auto of_era = static_cast<unsigned>(days - era * 146097);
  const unsigned year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const unsigned of_year = of_era - (365 * year + year / 4 - year / 100);
  const unsigned month = (5 * of_year + 2) / 153;
  const unsigned civil_month = month < 10 ? month + 3 : month - 9;
  return {year + era * 400 + (civil_month <= 2 ? 1 : 0), civil_month,
          of_year - (153 * month + 2) / 5 + 1};
}

bool is_plain(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) {
    return c > ' ' && c < 0x7F && c != '"' && c != '\\' && c != '=';
  });
}

}  // namespace

SignalSafeLine::SignalSafeLine(LogFormat format, std::string_view component, LogLevel level)
    : format_(format) {
  if (format_ == LogFormat::kJson) {
    put("{\"time\":\"");
    put_time();
    put("\",\"level\":\"");
    put(to_string(level));
    put("\",\"component\":\"");
    put_escaped(component);
    put("\",\"message\":\"");
  } else if (format_ == LogFormat::kRelayed) {
    put(syslog_prefix(level));
  } else {
    put_time();
    put(' ');
    put(to_label(level));
    put(" [");
    put_escaped(component);
    put("] ");
  }
}

SignalSafeLine& SignalSafeLine::text(std::string_view piece) {
  put_escaped(piece);
  return *this;
}

SignalSafeLine& SignalSafeLine::number(std::uint64_t value, unsigned base) {
  if (base == 16) put("0x");
  put_number(value, base, 1);
  return *this;
}

SignalSafeLine& SignalSafeLine::field(std::string_view name, std::string_view value) {
  if (value.empty()) return *this;
  end_message();
  if (format_ == LogFormat::kJson) {
    put(",\"");
    put(name);
    put("\":\"");
    put_escaped(value);
    put('"');
    return *this;
  }
  put(' ');
  put(name);
  put('=');
  const bool is_quoted = !is_plain(value);
  if (is_quoted) put('"');
  put_escaped(value);
  if (is_quoted) put('"');
  return *this;
}

void SignalSafeLine::write_to(int fd) {
  end_message();
  if (format_ == LogFormat::kJson) line_[size_++] = '}';
  line_[size_++] = '\n';
  [[maybe_unused]] const ssize_t n = ::write(fd, line_.data(), size_);
}

void SignalSafeLine::end_message() {
  if (is_in_message_ && format_ == LogFormat::kJson) put('"');
  is_in_message_ = false;
}

void SignalSafeLine::put(char c) {
  if (size_ < line_.size() - kTail) line_[size_++] = c;
}

void SignalSafeLine::put(std::string_view text) {
  for (const char c : text) put(c);
}

void SignalSafeLine::put_number(std::uint64_t value, unsigned base, unsigned least_digits) {
  std::array<char, 20> digits;
  std::size_t count = 0;
  do {
    digits[count++] = kDigits[value % base];
    value /= base;
  } while (value != 0 || count < least_digits);
  while (count > 0) put(digits[--count]);
}

// Every byte beyond ASCII becomes an escape: valid in both formats.
void SignalSafeLine::put_escaped(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      put('\\');
      put(c);
    } else if (byte >= ' ' && byte < 0x7F) {
      put(c);
    } else {
      put(format_ == LogFormat::kJson ? "\\u00" : "\\x");
      put(kDigits[byte >> 4]);
      put(kDigits[byte & 15]);
    }
  }
}

void SignalSafeLine::put_time() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  const std::int64_t seconds = now.tv_sec;
  const Date date = date_of(seconds / 86400);
  const auto of_day = static_cast<unsigned>(seconds % 86400);
  const auto part = [this](std::int64_t value, unsigned digits, char then) {
    put_number(static_cast<std::uint64_t>(value), 10, digits);
    put(then);
  };
  part(date.year, 4, '-');
  part(date.month, 2, '-');
  part(date.day, 2, 'T');
  part(of_day / 3600, 2, ':');
  part(of_day / 60 % 60, 2, ':');
  part(of_day % 60, 2, '.');
  part(now.tv_nsec / 1'000'000, 3, 'Z');
}

}  // namespace bentohost
