// Text from clients: for quoting in messages, and as C++ values. Part of <bento/bento.hpp>.
#pragma once

#include <bento/detail/described.hpp>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <type_traits>

namespace bento::detail {

// At most the first `max_bytes` bytes, cut between characters.
inline std::string shortened(std::string_view utf8, std::size_t max_bytes) {
  if (utf8.size() <= max_bytes) return std::string(utf8);
  std::size_t end = max_bytes;
  while (end > 0 && (static_cast<unsigned char>(utf8[end]) & 0xC0) == 0x80) --end;
  return std::string(utf8.substr(0, end)) + "...";
}

// The text for a message: short, and without control characters.
inline std::string printable(std::string_view utf8, std::size_t max_bytes = 40) {
  std::string text = shortened(utf8, max_bytes);
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = '?';
  }
  return text;
}
inline std::string quoted(std::string_view utf8) { return '"' + printable(utf8) + '"'; }

// Encodes a path's segment for a URL (RFC 3986 2.3).
inline std::string percent_encoded(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string all;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                          (c >= 'A' && c <= 'Z') ||
                          std::string_view("-._~").find(c) != std::string_view::npos;
    if (is_plain) {
      all += c;
    } else {
      (all += '%') += kDigits[byte >> 4];
      all += kDigits[byte & 15];
    }
  }
  return all;
}

// The types that from_text() reads.
template <typename T>
concept ReadFromText = Number<T> || DescribedEnum<T> || std::is_same_v<T, bool>;

// The value of a path or query parameter; nothing if the whole text is not a T.
template <typename T>
std::optional<T> from_text(std::string_view text) {
  if constexpr (std::is_same_v<T, bool>) {
    if (text == "true" || text == "1") return true;
    if (text == "false" || text == "0") return false;
    return std::nullopt;
  } else if constexpr (Number<T>) {
    T number{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc() || end != text.data() + text.size()) return std::nullopt;
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(number)) return std::nullopt;
    }
    return number;
  } else if constexpr (DescribedEnum<T>) {
    return find_enumerator<T>(text);
  } else {
    static_assert(std::is_constructible_v<T, std::string_view>,
                  "a parameter is a text, a bool, an integer, a float, a double, or an enum with "
                  "BENTO_ENUM");
    return T(text);
  }
}

// Describes the texts that from_text<T>() accepts.
template <typename T>
std::string kind_of_text() {
  if constexpr (std::is_same_v<T, bool>) {
    return "true or false";
  } else if constexpr (Integer<T>) {
    return "an integer from " + std::to_string(std::numeric_limits<T>::lowest()) + " to " +
           std::to_string(std::numeric_limits<T>::max());
  } else if constexpr (Number<T>) {
    return "a number";
  } else if constexpr (DescribedEnum<T>) {
    return "one of " + list_enumerators<T>();
  } else {
    return "a text";
  }
}

}  // namespace bento::detail
