// RequestTimeout: a service's own time limit for requests, below the host's --timeout. A request
// that takes longer is answered 504.
//
//   svc.use(bento::middleware::RequestTimeout{5s});
//
// Its hooks are const, and any number of threads may call them at once. The constructor throws
// Error for options that it cannot use.
#pragma once

#include <bento/error.hpp>
#include <bento/middleware.hpp>
#include <chrono>

namespace bento::middleware {

struct RequestTimeoutOptions {
  std::chrono::nanoseconds timeout = std::chrono::seconds(60);
};

class RequestTimeout {
 public:
  static constexpr const char* kName = "request_timeout";

  explicit RequestTimeout(RequestTimeoutOptions options = {}) : timeout_(options.timeout) {
    if (timeout_ <= std::chrono::nanoseconds::zero()) {
      throw Error(BENTO_INVALID_ARGUMENT, "timeout must be more than 0");
    }
  }
  explicit RequestTimeout(std::chrono::nanoseconds timeout)
      : RequestTimeout(RequestTimeoutOptions{timeout}) {}

  void on_request(Incoming& request) const { request.set_timeout(timeout_); }

 private:
  std::chrono::nanoseconds timeout_;
};

}  // namespace bento::middleware
