// FetchFailure: why a request to another server has no response. Pure; any thread.
#pragma once

#include <string_view>
#include <utility>

#include "base/status.h"

namespace bentohost::http {

// The values of the label `outcome` of requests that were not answered.
namespace fetch_failure {
inline constexpr std::string_view kConnect = "connect", kTls = "tls", kTimeout = "timeout",
                                  kBroken = "broken", kMalformed = "malformed",
                                  kTooLarge = "too_large", kQueueFull = "queue_full",
                                  kCancelled = "cancelled";
}

struct FetchFailure {
  Status status;               // OK: the request has not failed
  std::string_view kind = {};  // one of the above

  explicit operator bool() const { return !status.ok(); }
  static FetchFailure broken(std::string_view kind, const std::string& message) {
    return {Status::with_http(502, BENTO_UNAVAILABLE, message), kind};
  }
};

}  // namespace bentohost::http
