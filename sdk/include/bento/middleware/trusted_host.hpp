// TrustedHost: serves requests for known names only, so that no answer is made with, or cached for,
// a Host that an attacker chose. As Starlette's TrustedHostMiddleware.
//
//   svc.use(bento::middleware::TrustedHost{{"example.com", "*.example.com"}});
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <algorithm>
#include <bento/detail/header_fields.hpp>
#include <bento/detail/request_url.hpp>
#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::middleware {

struct TrustedHostOptions {
  // Names without a port; "*.example.com" is every name below example.com but not that itself, "*"
  // is any.
  std::vector<std::string> allowed_hosts = {"*"};
  // A name that is on the list only with "www." before it is redirected there.
  bool www_redirect = true;
};

class TrustedHost {
 public:
  static constexpr const char* kName = "trusted_host";

  explicit TrustedHost(TrustedHostOptions options = {}) : options_(std::move(options)) {
    for (std::string& pattern : options_.allowed_hosts) {
      const std::size_t star = pattern.rfind('*');
      const bool is_wild = star == 0 && (pattern == "*" || pattern.starts_with("*."));
      if (pattern.empty() || (star != std::string::npos && !is_wild) ||
          bento::detail::split_authority(pattern).host != pattern) {
        throw Error(BENTO_INVALID_ARGUMENT,
                    "allowed_hosts: \"" + pattern +
                        "\" is not a name of a host: write \"example.com\", without a port, "
                        "\"*.example.com\", \"[::1]\" or \"*\"");
      }
      pattern = bento::detail::lower(pattern);
    }
  }
  explicit TrustedHost(std::vector<std::string> allowed_hosts)
      : TrustedHost(TrustedHostOptions{std::move(allowed_hosts)}) {}

  void on_request(Incoming& request) const {
    // Starlette compares as it stands; names are the same in any case (RFC 3986 3.2.2).
    const std::string host =
        bento::detail::lower(bento::detail::split_authority(request.request_header("host")).host);
    const auto matches = [&host](std::string_view pattern) {
      return pattern == "*" || host == pattern ||
             (pattern.starts_with('*') && host.ends_with(pattern.substr(1)));
    };
    const auto& patterns = options_.allowed_hosts;
    if (std::any_of(patterns.begin(), patterns.end(), matches)) return;
    const std::string with_www = "www." + host;
    const std::string authority = bento::detail::authority_of(request);
    if (options_.www_redirect && !host.empty() && !authority.empty() &&
        std::find(patterns.begin(), patterns.end(), with_www) != patterns.end()) {
      request.answer(
          307, "", "",
          {{"Location", bento::detail::url_of(request, request.scheme(), "www." + authority)}});
    } else {
      request.answer(400, "text/plain; charset=utf-8", "Invalid host header");
    }
  }

 private:
  TrustedHostOptions options_;
};

}  // namespace bento::middleware
