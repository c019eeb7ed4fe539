// FetchRequest: a request to another server, as it will be sent. Pure; any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "http/client/url.h"
#include "http/message.h"

namespace bentohost::http {

struct FetchLimits {
  static constexpr std::uint64_t kNoLimit = std::numeric_limits<std::uint64_t>::max();

  TimePoint deadline = kNoDeadline;       // of all of it
  std::string late = "it took too long";  // the message when that has passed
  Duration connect_timeout = std::chrono::seconds(5);
  std::uint64_t max_body = kNoLimit;  // of the response
};

struct FetchRequest {
  std::string method = "GET";
  Url url;
  Headers headers;
  std::string body;
  FetchLimits limits;
};

// Whether the request can be sent. INVALID_ARGUMENT: its method is not a method's name, or one of
// its headers cannot be sent, or is written by the client itself.
Status check(const FetchRequest& request);

// Its head, with the empty line.
std::string request_head(const FetchRequest& request);

// Whether sending it twice does what sending it once does (RFC 9110 9.2.2).
bool is_idempotent(std::string_view method);

}  // namespace bentohost::http
