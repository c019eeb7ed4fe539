// ApiOptions: what Service::api() can be told of an API beside its handler. Plain data, copied when
// the API is described. Part of <bento/bento.hpp>.
//
//   svc.api("model", {.route = "/models/{model}", .method = "GET"}, handler);
#pragma once

#include <bento/abi.h>

#include <bento/io.hpp>
#include <cstdint>
#include <optional>
#include <string>

namespace bento {

#if BENTO_ABI_TARGET_MINOR >= 1
// How the results of a streaming method go out: server-sent events, whose last one has the data
// [DONE]; or lines, of JSON (application/x-ndjson).
enum class As : std::uint32_t { kEvents = BENTO_AS_EVENTS, kLines = BENTO_AS_LINES };
#endif

struct ApiOptions {
  // The path below the service's prefix; empty: "/" + name. A {name} is a parameter, one in a
  // segment, which Context::path_param() reads: "/models/{model}/{version}:show". The first slash
  // may be left out.
  std::string route = {};
  // "GET", "POST", "PUT", "PATCH" or "DELETE"; empty: "POST", as in BentoML. GET answers HEAD, too,
  // and takes no input that needs a body (RFC 9110 9.3.1).
  std::string method = {};
  std::string doc = {};  // for people
  // The longest body of a request, in bytes, as it was sent and as it is inflated; a longer one is
  // answered 413. It takes the place of --max-body, and may be more. 0: --max-body.
  std::uint64_t max_body = 0;
  // The handler takes microseconds, never waits and calls no runner (a call is refused with Error):
  // then it is called on the event loop of its connection, at a third of the cost, for bodies of up
  // to 128 KiB. Other connections of that loop wait meanwhile. Not for handlers with a Stream.
  bool quick = false;
  // In place of the descriptors that the C++ types imply: see <bento/io.hpp>.
  std::optional<Io> input = {}, output = {};
#if BENTO_ABI_TARGET_MINOR >= 1
  // Of an API that is bound to a streaming method, and of no other: kEvents if it does not say.
  std::optional<As> stream = {};
#endif
};

}  // namespace bento
