// APIKey: keys in a header of their own.
//
//   svc.use(bento::middleware::APIKey({.keys_file = "/run/secrets/keys"}));
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

struct APIKeyOptions {
  std::vector<std::string> keys = {};
  std::string keys_file = {};  // or one a line: see secret_file.hpp
  std::string header = "x-api-key";
};

class APIKey {
 public:
  static constexpr const char* kName = "api_key";

  explicit APIKey(APIKeyOptions options,
                  bento::detail::SteadyNow now = &std::chrono::steady_clock::now)
      : keys_(bento::detail::secret_list("keys", std::move(options.keys), options.keys_file,
                                         &is_key, "keys of visible characters", std::move(now))),
        header_(bento::detail::lower(options.header)),
        // A 401 has a challenge (RFC 9110 15.5.2), though there is no registered scheme for these.
        challenge_("ApiKey header=" + bento::detail::quoted_string(header_)) {
    bento::detail::check_header_name(header_, "header");
  }

  void on_request(Incoming& request) const {
    const auto given = request.find_request_header(header_);
    if (given && bento::detail::is_one_of(*given, *keys_->get(request))) return;
    bento::detail::refuse(request, 401, "Unauthorized",
                          given ? "the API key is not valid" : "an API key is needed",
                          {{"WWW-Authenticate", challenge_}});
  }

 private:
  static bool is_key(std::string_view text) {
    return !text.empty() &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  }

  std::unique_ptr<bento::detail::SecretList> keys_;
  std::string header_, challenge_;
};

}  // namespace bento::middleware
