// Fetches of the service's, which a function of the test answers. Part of <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/detail/http_url.hpp>
#include <bento/error.hpp>
#include <bento/fetch.hpp>
#include <bento/testing/channel.hpp>
#include <bento/testing/fetch_call.hpp>
#include <bento/testing/message.hpp>
#include <bento/testing/state.hpp>
#include <bento/testing/ticket.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::testing::internal {

// Throws Error for what the host refuses.
inline FetchCall fetch_call(const RequestState& state, const bento_fetch& request) {
  FetchCall call{std::string(detail::view(request.method)), std::string(detail::view(request.url))};
  if (call.method.empty()) call.method = "GET";
  (void)detail::HttpUrl::parse(call.url);
  call.headers = Headers(request.headers);
  for (const auto& [name, value] : call.headers) check_header(name, value);
  for (const char* name :
       {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "TE", "Trailer",
        "Upgrade", "Expect", "Proxy-Connection"}) {
    if (call.headers.has(name)) {
      detail::misuse(BENTO_INVALID_ARGUMENT,
                     std::string("header ") + name + " is the client's own");
    }
  }
  const std::string_view id = detail::view(state.scope->request_id);
  if (!id.empty() && !call.headers.has("X-Request-Id")) call.headers.add("X-Request-Id", id);
  const Headers own(state.scope->headers);
  if (own.has("traceparent") && !call.headers.has("traceparent")) {
    call.headers.add("traceparent", own.get("traceparent"));
  }
  if (request.body.len != 0) {
    call.body.assign(static_cast<const char*>(request.body.ptr), request.body.len);
  }
  call.timeout = std::chrono::nanoseconds(static_cast<std::int64_t>(request.timeout_ns));
  return call;
}

// The test's function is called here; the service hears of its response in the next turn, or after
// the latency of "fetch".
inline std::shared_ptr<Ticket> start_fetch(RequestState& state, const bento_fetch& request) {
  const FetchCall call = fetch_call(state, request);
  const bool in_pieces = (request.flags & BENTO_FETCH_IN_PIECES) != 0;
  const auto ticket = std::make_shared<Ticket>(state, false);
  std::optional<Error> failure;
  try {
    if (!state.environment.fetches) {
      throw Error(BENTO_UNAVAILABLE, call.url + ": the test answers no fetches", 502);
    }
    FetchResponse response = state.environment.fetches(call);
    const std::uint64_t limit = request.max_response_bytes != 0 ? request.max_response_bytes
                                : in_pieces                     ? UINT64_MAX
                                                                : 16u << 20;
    if (response.body.size() > limit) {
      throw Error(BENTO_RESOURCE_EXHAUSTED,
                  call.url + ": the body of the response is larger than " + std::to_string(limit) +
                      " bytes (max_response_bytes)",
                  502);
    }
    std::vector<FetchEvent> events;
    if (in_pieces) {
      FetchResponse body;
      body.body = std::exchange(response.body, {});
      events.push_back({BENTO_RESPONSE_START, true, std::move(response)});
      events.push_back({BENTO_RESPONSE_BODY, false, std::move(body)});
    } else {
      events.push_back({BENTO_RESPONSE_START, false, std::move(response)});
    }
    ticket->set_events(std::move(events));
  } catch (const Error& error) {
    failure = error;
  }
  const auto latency = state.environment.latencies.find("fetch");
  const bool is_slow = latency != state.environment.latencies.end();
  ticket->end_after(is_slow ? latency->second : Loop::Time(), {}, failure);
  return ticket;
}

}  // namespace bento::testing::internal
#endif
