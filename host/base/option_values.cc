#include "base/option_values.h"

#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace bentohost {
namespace {

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

template <typename T>
bool parse_whole(std::string_view text, T& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Result<std::size_t> parse_size(std::string_view text) {
  std::size_t unit = 1;
  std::string_view digits = text;
  if (!digits.empty()) {
    const char last = static_cast<char>(digits.back() | 0x20);
    unit = last == 'k' ? 1u << 10 : last == 'm' ? 1u << 20 : last == 'g' ? 1u << 30 : 1;
    if (unit != 1) digits.remove_suffix(1);
  }
  std::size_t number = 0;
  if (!parse_whole(digits, number) || number > (std::size_t{1} << 40) / unit) {
    return invalid("expected a size in bytes, such as 65536, 64k, 64m or 1g");
  }
  return number * unit;
}

Result<Duration> parse_seconds(std::string_view text) {
  double number = 0;
  constexpr double kDay = 86400;
  if (!parse_whole(text, number) || !std::isfinite(number) || number <= 0 || number > kDay) {
    return invalid("expected a number of seconds, more than 0 and at most 86400");
  }
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(number));
}

Result<Duration> parse_delay(std::string_view text) {
  return text == "0" ? Result<Duration>(Duration::zero()) : parse_seconds(text);
}

Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t least, std::uint32_t most) {
  std::uint32_t number = 0;
  if (parse_whole(text, number) && number >= least && number <= most) return number;
  return invalid("expected a number from " + std::to_string(least) + " to " + std::to_string(most));
}

Result<bool> parse_switch(std::string_view text) {
  if (text == "on" || text == "off") return text == "on";
  return invalid("expected on or off");
}

}  // namespace bentohost
