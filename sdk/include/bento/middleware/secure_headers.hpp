// SecureHeaders: response headers that make browsers careful. Headers that a handler has set
// itself stay as they are.
//
//   svc.use(bento::middleware::SecureHeaders({.content_security_policy = "default-src 'self'"}));
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <bento/detail/header_fields.hpp>
#include <bento/middleware.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bento::middleware {

// An empty text leaves its header out.
struct SecureHeadersOptions {
  std::string frame_options = "DENY";           // X-Frame-Options (RFC 7034); or "SAMEORIGIN"
  std::string referrer_policy = "no-referrer";  // Referrer-Policy
  std::string content_security_policy = {};     // Content-Security-Policy
  // Strict-Transport-Security: the seconds for which a browser keeps to https; 0 leaves it out.
  std::uint64_t hsts_max_age = 31'536'000;
  bool hsts_include_subdomains = false;
};

class SecureHeaders {
 public:
  static constexpr const char* kName = "secure_headers";

  explicit SecureHeaders(SecureHeadersOptions options = {}) : options_(std::move(options)) {
    bento::detail::check_field_value(options_.frame_options, "frame_options");
    bento::detail::check_field_value(options_.referrer_policy, "referrer_policy");
    bento::detail::check_field_value(options_.content_security_policy, "content_security_policy");
    if (options_.hsts_max_age == 0) return;
    hsts_ = "max-age=" + std::to_string(options_.hsts_max_age);
    if (options_.hsts_include_subdomains) hsts_ += "; includeSubDomains";
  }

  void on_response(Outgoing& response) const {
    const auto add = [&response](std::string_view name, std::string_view value) {
      if (!value.empty() && !response.header(name)) response.set_header(name, value);
    };
    add("X-Content-Type-Options", "nosniff");
    add("X-Frame-Options", options_.frame_options);
    add("Referrer-Policy", options_.referrer_policy);
    add("Content-Security-Policy", options_.content_security_policy);
    // RFC 6797 7.2: never over http, where anybody could have written it.
    if (response.scheme() == "https") add("Strict-Transport-Security", hsts_);
  }

 private:
  SecureHeadersOptions options_;
  std::string hsts_;
};

}  // namespace bento::middleware
