// The URL of a request, for the stock middleware that redirects. Pure; any thread.
#pragma once

#include <algorithm>
#include <bento/middleware.hpp>
#include <string>
#include <string_view>

namespace bento::detail {

// A host and a port: "example.com" and "8000", "[::1]" and "".
struct Authority {
  std::string_view host, port;
};

inline Authority split_authority(std::string_view text) {
  const std::size_t bracket = text.starts_with('[') ? text.find(']') : 0;
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {text, {}};
  return {text.substr(0, colon), text.substr(colon + 1)};
}

// Accepts the Host headers that Starlette's datastructures.py accepts (its _HOST_RE): no text that
// a URL would read as the beginning of a path, a query or user information.
inline bool is_authority(std::string_view text) {
  const auto all_in = [](std::string_view part, std::string_view others, char last_letter) {
    return !part.empty() && std::all_of(part.begin(), part.end(), [&](char c) {
      const char small = static_cast<char>(c | 0x20);
      return (c >= '0' && c <= '9') || (small >= 'a' && small <= last_letter) ||
             others.find(c) != std::string_view::npos;
    });
  };
  const auto [host, port] = split_authority(text);
  if (host.size() + 1 == text.size() || (!port.empty() && !all_in(port, "", '\0'))) return false;
  if (!host.starts_with('[')) return all_in(host, ".-", 'z');
  return host.ends_with(']') && host.find(':') != std::string_view::npos &&
         all_in(host.substr(1, host.size() - 2), ".:", 'f');
}

inline bool is_default_port(std::string_view scheme, std::string_view port) {
  return port == (scheme == "https" ? "443" : "80");
}

// The Host header or, if invalid, the address the request came in on, as in Starlette's URL; or "".
inline std::string authority_of(const ExchangeView& request) {
  std::string_view text = request.request_header("host");
  if (is_authority(text)) return std::string(text);
  text = request.server();
  if (!is_authority(text)) return {};
  const Authority parts = split_authority(text);
  return std::string(is_default_port(request.scheme(), parts.port) ? parts.host : text);
}

// Escapes the characters that a path may not contain (RFC 3986 3.3), including any '?', '#' and '%'
// that arrived escaped.
inline std::string escaped_path(std::string_view path) {
  constexpr std::string_view kHex = "0123456789ABCDEF", kOthers = "/-._~!$&'()*+,;=:@";
  std::string all;
  for (const unsigned char c : path) {
    const bool stays = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       kOthers.find(static_cast<char>(c)) != std::string_view::npos;
    if (stays) {
      all += static_cast<char>(c);
    } else {
      all += {'%', kHex[c >> 4], kHex[c & 15]};
    }
  }
  return all;
}

// The request's URL with this scheme and authority.
inline std::string url_of(const ExchangeView& request, std::string_view scheme,
                          std::string_view authority) {
  std::string url = std::string(scheme) + "://" + std::string(authority);
  // The "*" of OPTIONS is not a path.
  url += request.path().starts_with('/') ? escaped_path(request.path()) : "/";
  if (!request.query().empty()) url.append("?").append(request.query());
  return url;
}

}  // namespace bento::detail
