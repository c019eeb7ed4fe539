#include "http/date.h"

#include <array>
#include <cstdio>

namespace bentohost::http {
namespace {

// Not strftime, whose names depend on the locale.
constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                 "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

struct Cache {
  std::time_t second = -1;
  int length = 0;
  std::array<char, 64> text{};
};

}  // namespace

std::string_view http_date(std::time_t now) {
  thread_local Cache cache;
  if (cache.second != now) {
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

}  // namespace bentohost::http
