#include "upstream/cookie_path.h"

#include <algorithm>
#include <string>

#include "http/syntax.h"

namespace bentohost::upstream {
namespace {

bool is_below(std::string_view path, std::string_view prefix) {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

void prefix_paths(std::string_view prefix, std::string& cookie) {
  constexpr std::string_view kName = "path=";
  for (std::size_t at = cookie.find(';'); at != std::string::npos; at = cookie.find(';', at)) {
    at = std::min(cookie.find_first_not_of("; \t", at), cookie.size());
    const std::string_view attribute = std::string_view(cookie).substr(at);
    if (!http::equals_ignoring_case(attribute.substr(0, kName.size()), kName)) continue;
    const std::string_view value = attribute.substr(kName.size());
    const std::string_view path = http::trim(value.substr(0, value.find(';')));
    if (!path.starts_with('/') || is_below(path, prefix)) continue;
    // "/" becomes "/old": that is for "/old", too, which "/old/" is not.
    cookie.replace(static_cast<std::size_t>(path.data() - cookie.data()), path == "/" ? 1 : 0,
                   prefix);
  }
}

}  // namespace

void prefix_cookie_paths(std::string_view prefix, http::Headers& headers) {
  if (prefix.empty()) return;
  for (http::Header& header : headers) {
    if (http::equals_ignoring_case(header.name, "set-cookie")) prefix_paths(prefix, header.value);
  }
}

}  // namespace bentohost::upstream
