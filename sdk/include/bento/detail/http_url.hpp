// HttpUrl: a parsed http:// or https:// URL. Pure; any thread.
#pragma once

#include <algorithm>
#include <bento/error.hpp>
#include <charconv>
#include <cstddef>
#include <string>
#include <string_view>
#include <system_error>

namespace bento::detail {

// "https://[::1]:8443/a?b#c" is https, ::1, 8443 and /a?b.
struct HttpUrl {
  bool is_tls = false;
  std::string host;
  int port = 0;
  std::string target;  // path and query

  // Throws Error, INVALID_ARGUMENT and 500, that says what is wrong with the URL.
  static HttpUrl parse(std::string_view url) {
    if (std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c == 0x7f; })) {
      refuse(url, "it has a blank, a control byte or a byte that is not ASCII");
    }
    HttpUrl parsed;
    parsed.is_tls = url.starts_with("https://");
    if (!parsed.is_tls && !url.starts_with("http://")) {
      refuse(url, "does not start with http:// or https://");
    }
    std::string_view rest = url.substr(parsed.is_tls ? 8 : 7);
    rest = rest.substr(0, rest.find('#'));
    const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
    parsed.target = rest.substr(end);
    if (!parsed.target.starts_with('/')) parsed.target.insert(0, "/");
    parsed.read_authority(url, rest.substr(0, end));
    return parsed;
  }

 private:
  [[noreturn]] static void refuse(std::string_view url, const char* why) {
    detail::misuse(BENTO_INVALID_ARGUMENT, "URL \"" + std::string(url) + "\": " + why);
  }

  void read_authority(std::string_view url, std::string_view authority) {
    if (authority.find('@') != authority.npos) refuse(url, "user names are not supported");
    std::size_t colon = authority.find(':');
    if (authority.starts_with('[')) {
      const std::size_t bracket = authority.find(']');
      if (bracket == authority.npos) refuse(url, "a '[' without its ']'");
      host = authority.substr(1, bracket - 1);
      colon = bracket + 1;
      if (colon < authority.size() && authority[colon] != ':') refuse(url, "no ':' after the ']'");
    } else {
      host = authority.substr(0, colon);
    }
    if (host.empty()) refuse(url, "there is no host in it");
    port = is_tls ? 443 : 80;
    if (colon >= authority.size()) return;
    const std::string_view digits = authority.substr(colon + 1);
    const char* last = digits.data() + digits.size();
    const auto [stopped, error] = std::from_chars(digits.data(), last, port);
    if (error != std::errc() || stopped != last || port < 1 || port > 65535) {
      refuse(url, "its port is not a number from 1 to 65535");
    }
  }
};

}  // namespace bento::detail
