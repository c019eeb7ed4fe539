// Base64 (RFC 4648), decoded strictly: each value has exactly one valid text, and any other text is
// rejected. Pure; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bento::detail {

enum class Base64 {
  kPadded,  // section 4, as in Basic credentials
  kUrl,     // section 5, without padding, as in a JWS (RFC 7515 2)
};

inline std::optional<std::string> base64_decode(std::string_view text, Base64 kind) {
  if (kind == Base64::kPadded) {
    if (text.size() % 4 != 0) return std::nullopt;
    for (int i = 0; i < 2 && text.ends_with('='); ++i) text.remove_suffix(1);
  }
  if (text.size() % 4 == 1) return std::nullopt;
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  std::uint32_t bits = 0;
  int have = 0;  // bits not yet in `bytes`
  for (const char c : text) {
    std::uint32_t value = 0;
    if (c >= 'A' && c <= 'Z') {
      value = static_cast<std::uint32_t>(c - 'A');
    } else if (c >= 'a' && c <= 'z') {
      value = static_cast<std::uint32_t>(c - 'a' + 26);
    } else if (c >= '0' && c <= '9') {
      value = static_cast<std::uint32_t>(c - '0' + 52);
    } else if (c == (kind == Base64::kUrl ? '-' : '+')) {
      value = 62;
    } else if (c == (kind == Base64::kUrl ? '_' : '/')) {
      value = 63;
    } else {
      return std::nullopt;
    }
    bits = bits << 6 | value;
    have += 6;
    if (have >= 8) {
      have -= 8;
      bytes += static_cast<char>(bits >> have & 0xff);
    }
  }
  // The bits left over must be zero in the valid text (RFC 4648 3.5).
  if ((bits & ((1u << have) - 1)) != 0) return std::nullopt;
  return bytes;
}

}  // namespace bento::detail
