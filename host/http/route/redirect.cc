#include "http/route/redirect.h"

#include <array>
#include <cstdio>

namespace bentohost::http {
namespace {

std::string percent_encode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const bool is_unreserved = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
                               (c >= 'A' && c <= 'Z') || c == '-' || c == '.' || c == '_' ||
                               c == '~';
    if (is_unreserved) {
      encoded.push_back(c);
      continue;
    }
    std::array<char, 4> escape{};
    std::snprintf(escape.data(), escape.size(), "%%%02X", static_cast<unsigned char>(c));
    encoded.append(escape.data());
  }
  return encoded;
}

std::string location(const char* where, std::string_view path, const char* end,
                     std::string_view query) {
  std::string text = where;
  text.append(percent_encode(path.substr(path.rfind('/') + 1))).append(end);
  if (!query.empty()) text.append("?").append(query);
  return text;
}

}  // namespace

std::string location_with_slash(std::string_view path, std::string_view query) {
  return location("./", path, "/", query);
}

std::string location_without_slash(std::string_view path, std::string_view query) {
  return location("../", path.substr(0, path.size() - 1), "", query);
}

}  // namespace bentohost::http
