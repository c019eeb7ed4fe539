#include "http/date.h"

#include <array>
#include <chrono>
#include <cstdio>

namespace bentohost::http {
namespace {

// Not strftime and strptime, whose names depend on the locale.
constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 7> kLongDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                  "Thursday", "Friday", "Saturday"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr std::time_t kFiftyYears = std::chrono::seconds(std::chrono::years(50)).count();

struct Cache {
  std::time_t second = -1;
  int length = 0;
  std::array<char, 64> text{};
};

struct Fields {
  int year = 0;
  unsigned month = 0;  // from 0
  unsigned day = 0, hour = 0, minute = 0, second = 0;
};

template <typename Names>
bool take_name(std::string_view& text, const Names& names, unsigned& index) {
  for (index = 0; index < names.size(); ++index) {
    const std::string_view name = names[index];
    if (!text.starts_with(name)) continue;
    text.remove_prefix(name.size());
    return true;
  }
  return false;
}

bool take_digits(std::string_view& text, std::size_t count, unsigned& number) {
  if (text.size() < count) return false;
  number = 0;
  for (const char c : text.substr(0, count)) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  text.remove_prefix(count);
  return true;
}

// Takes the field that strptime() calls %`letter`.
bool take_field(std::string_view& text, char letter, Fields& fields) {
  unsigned number = 0;
  switch (letter) {
    case 'a':
      return take_name(text, kDays, number);
    case 'A':
      return take_name(text, kLongDays, number);
    case 'b':
      return take_name(text, kMonths, fields.month);
    case 'd':
      return take_digits(text, 2, fields.day);
    case 'e': {
      const bool is_padded = text.starts_with(' ');
      if (is_padded) text.remove_prefix(1);
      return take_digits(text, is_padded ? 1 : 2, fields.day);
    }
    case 'H':
      return take_digits(text, 2, fields.hour);
    case 'M':
      return take_digits(text, 2, fields.minute);
    case 'S':
      return take_digits(text, 2, fields.second);
    default: {
      const bool is_taken = take_digits(text, letter == 'Y' ? 4 : 2, number);
      fields.year = static_cast<int>(number);
      return is_taken;
    }
  }
}

bool matches(std::string_view text, std::string_view pattern, Fields& fields) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '%') {
      if (!take_field(text, pattern[++i], fields)) return false;
    } else {
      if (!text.starts_with(pattern[i])) return false;
      text.remove_prefix(1);
    }
  }
  return text.empty();
}

std::optional<std::time_t> to_time(const Fields& fields) {
  using std::chrono::sys_days;
  const std::chrono::year_month_day date(std::chrono::year(fields.year),
                                         std::chrono::month(fields.month + 1),
                                         std::chrono::day(fields.day));
  // A leap second is the next minute's first.
  if (!date.ok() || fields.hour > 23 || fields.minute > 59 || fields.second > 60) {
    return std::nullopt;
  }
  const std::time_t days = sys_days(date).time_since_epoch().count();
  return ((days * 24 + fields.hour) * 60 + fields.minute) * 60 + fields.second;
}

int year_of(std::time_t time) {
  std::tm utc{};
  gmtime_r(&time, &utc);
  return utc.tm_year + 1900;
}

}  // namespace

std::string_view http_date(std::time_t now) {
  thread_local Cache cache;
  if (cache.second != now || cache.length == 0) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    cache.length =
        std::snprintf(cache.text.data(), cache.text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                      kDays[static_cast<std::size_t>(utc.tm_wday)], utc.tm_mday,
                      kMonths[static_cast<std::size_t>(utc.tm_mon)], utc.tm_year + 1900,
                      utc.tm_hour, utc.tm_min, utc.tm_sec);
    cache.second = now;
  }
  return {cache.text.data(), static_cast<std::size_t>(cache.length)};
}

std::optional<std::time_t> parse_http_date(std::string_view text, std::time_t now) {
  Fields fields;
  if (matches(text, "%a, %d %b %Y %H:%M:%S GMT", fields) ||
      matches(text, "%a %b %e %H:%M:%S %Y", fields)) {
    return to_time(fields);
  }
  if (!matches(text, "%A, %d-%b-%y %H:%M:%S GMT", fields)) return std::nullopt;
  // The latest year with these digits that is at most 50 years ahead.
  const std::time_t latest = now + kFiftyYears;
  fields.year += (year_of(latest) - fields.year) / 100 * 100;
  const std::optional<std::time_t> time = to_time(fields);
  if (!time || *time <= latest) return time;
  fields.year -= 100;
  return to_time(fields);
}

}  // namespace bentohost::http
