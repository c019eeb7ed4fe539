// BearerToken: tokens that both sides know (RFC 6750). For tokens that an issuer signs see jwt.hpp.
//
//   svc.use(bento::middleware::BearerToken({.tokens_file = "/run/secrets/tokens"}));
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <algorithm>
#include <bento/detail/header_fields.hpp>
#include <bento/detail/refusal.hpp>
#include <bento/detail/secret_file.hpp>
#include <bento/middleware.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::middleware {

struct BearerTokenOptions {
  std::vector<std::string> tokens = {};
  std::string tokens_file = {};  // or one a line: see secret_file.hpp
  std::string realm = "bentohost";
};

class BearerToken {
 public:
  static constexpr const char* kName = "bearer_token";

  explicit BearerToken(BearerTokenOptions options,
                       bento::detail::SteadyNow now = &std::chrono::steady_clock::now)
      : tokens_(bento::detail::secret_list("tokens", std::move(options.tokens), options.tokens_file,
                                           &is_b64token, "tokens of letters, digits and -._~+/",
                                           std::move(now))),
        challenge_("Bearer realm=" + bento::detail::quoted_string(options.realm)) {
    bento::detail::check_field_value(options.realm, "realm");
  }

  void on_request(Incoming& request) const {
    const auto given = bento::detail::credentials(request, "Bearer");
    if (given && bento::detail::is_one_of(*given, *tokens_->get(request))) return;
    // RFC 6750 3.1: who showed no token is told of no error.
    bento::detail::refuse(
        request, 401, "Unauthorized", given ? "the token is not valid" : "a bearer token is needed",
        {{"WWW-Authenticate", challenge_ + (given ? ", error=\"invalid_token\"" : "")}});
  }

 private:
  static bool is_b64token(std::string_view text) {  // RFC 6750 2.1
    const std::size_t end = text.find('=');
    const std::string_view pad = end == std::string_view::npos ? "" : text.substr(end);
    text = text.substr(0, end);
    return !text.empty() && pad.find_first_not_of('=') == std::string_view::npos &&
           std::all_of(text.begin(), text.end(), [](char c) {
             return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                    std::string_view("-._~+/").find(c) != std::string_view::npos;
           });
  }

  std::unique_ptr<bento::detail::SecretList> tokens_;
  std::string challenge_;
};

}  // namespace bento::middleware
