// FetchCall: a fetch of the service's, for the test that answers it. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/headers.hpp>
#include <chrono>
#include <string>

namespace bento::testing {

struct FetchCall {
  std::string method, url;
  Headers headers = {};  // X-Request-Id and traceparent of the request among them
  std::string body = {};
  std::chrono::nanoseconds timeout{};  // as it was given: 0 for the host's own
};

}  // namespace bento::testing
