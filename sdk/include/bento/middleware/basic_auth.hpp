// BasicAuth: names and passwords (RFC 7617). They travel as they are: use it on https only.
//
//   svc.use(bento::middleware::BasicAuth({.users_file = "/run/secrets/users"}));
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <algorithm>
#include <bento/detail/base64.hpp>
#include <bento/detail/header_fields.hpp>
#include <bento/detail/refusal.hpp>
#include <bento/detail/secret_file.hpp>
#include <bento/middleware.hpp>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::middleware {

struct BasicAuthOptions {
  std::vector<std::string> users = {};  // "name:password"
  std::string users_file = {};          // or one of these a line: see secret_file.hpp
  std::string realm = "bentohost";      // what a browser shows when it asks
};

class BasicAuth {
 public:
  static constexpr const char* kName = "basic_auth";

  explicit BasicAuth(BasicAuthOptions options,
                     bento::detail::SteadyNow now = &std::chrono::steady_clock::now)
      : users_(bento::detail::secret_list("users", std::move(options.users), options.users_file,
                                          &is_user, "names and passwords like name:password",
                                          std::move(now))),
        challenge_("Basic realm=" + bento::detail::quoted_string(options.realm) +
                   ", charset=\"UTF-8\"") {
    bento::detail::check_field_value(options.realm, "realm");
  }

  void on_request(Incoming& request) const {
    const auto given = bento::detail::credentials(request, "Basic");
    std::optional<std::string> user;
    if (given) user = bento::detail::base64_decode(*given, bento::detail::Base64::kPadded);
    if (user && bento::detail::is_one_of(*user, *users_->get(request))) return;
    bento::detail::refuse(request, 401, "Unauthorized", "a name and its password are needed",
                          {{"WWW-Authenticate", challenge_}});
  }

 private:
  static bool is_user(std::string_view text) {
    const std::size_t colon = text.find(':');  // a name has none (RFC 7617 2), a password may
    return colon != 0 && colon < text.size() - 1;
  }

  std::unique_ptr<bento::detail::SecretList> users_;
  std::string challenge_;
};

}  // namespace bento::middleware
