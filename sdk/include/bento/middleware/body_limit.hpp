// BodyLimit: a service's own limit for the bodies of requests, below the host's --max-body. A
// longer body is answered 413: at once if its Content-Length says so, otherwise when so much has
// come.
//
//   svc.use(bento::middleware::BodyLimit{1 << 20});
//
// Its hooks are const, and any number of threads may call them at once.
#pragma once

#include <bento/detail/refusal.hpp>
#include <bento/middleware.hpp>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>

namespace bento::middleware {

struct BodyLimitOptions {
  std::uint64_t max_body = std::uint64_t{1} << 20;  // bytes, as sent and as inflated
};

class BodyLimit {
 public:
  static constexpr const char* kName = "body_limit";

  explicit BodyLimit(BodyLimitOptions options = {}) : max_body_(options.max_body) {}
  explicit BodyLimit(std::uint64_t max_body) : max_body_(max_body) {}

  void on_request(Incoming& request) const {
    const std::string_view told = request.request_header("content-length");
    std::uint64_t length = 0;
    const auto [end, error] = std::from_chars(told.data(), told.data() + told.size(), length);
    if (error == std::errc::result_out_of_range || length > max_body_) {
      bento::detail::refuse(request, 413, "Content Too Large",
                            "the body is larger than " + std::to_string(max_body_) + " bytes");
    } else {
      request.limit_body(max_body_);
    }
  }

 private:
  std::uint64_t max_body_;
};

}  // namespace bento::middleware
