#include "http/trace_context.h"

#include <algorithm>

namespace bentohost::http {
namespace {

constexpr std::size_t kLength = 55;  // of version 00: "00-" trace id "-" parent id "-" flags
constexpr std::size_t kMaxLength = 512;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_id(std::string_view text) {
  return is_hex(text) && text.find_first_not_of('0') != text.npos;
}

// Later versions may append fields.
bool is_valid(std::string_view value) {
  if (value.size() < kLength || value.size() > kMaxLength) return false;
  const std::string_view version = value.substr(0, 2);
  if (!is_hex(version) || version == "ff") return false;
  if (value.size() > kLength && (version == "00" || value[kLength] != '-')) return false;
  return value[2] == '-' && is_id(value.substr(3, 32)) && value[35] == '-' &&
         is_id(value.substr(36, 16)) && value[52] == '-' && is_hex(value.substr(53, 2));
}

}  // namespace

std::string_view traceparent(const Headers& headers) {
  std::string_view found;
  for (const Header& header : headers) {
    if (header.name != "traceparent") continue;
    if (!found.empty() || !is_valid(header.value)) return {};
    found = header.value;
  }
  return found;
}

}  // namespace bentohost::http
