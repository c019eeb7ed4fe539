#include "json/base64.h"

#include <bento/detail/base64.hpp>
#include <cstdint>

namespace bentohost {

std::optional<std::string> base64_decode(std::string_view text) {
  return bento::detail::base64_decode(text, bento::detail::Base64::kPadded);
}

void base64_encode(std::string_view bytes, std::string& out) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out.reserve(out.size() + (bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::string_view three = bytes.substr(i, 3);
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      bits = bits << 8 | (j < three.size() ? static_cast<unsigned char>(three[j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= three.size() ? kDigits[bits >> (18 - 6 * j) & 63] : '=';
    }
  }
}

}  // namespace bentohost
