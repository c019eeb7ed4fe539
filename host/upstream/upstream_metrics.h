// UpstreamMetrics: what the proxy reports of its requests. Gauges (requests in flight, connections,
// waiting requests) are read from Upstream when they are collected.
#pragma once

#include <array>
#include <functional>
#include <string_view>

#include "base/clock.h"

namespace bentohost::upstream {

// How a proxied request ended; the values of a label.
enum class Outcome {
  kAnswered,     // the app's response was passed on whole
  kUnavailable,  // 503: no process of the app serves
  kQueueFull,    // 503: too many requests wait for a connection
  kTimedOut,     // 504, or cut off: the app was too slow
  kFailed,       // 502: the app could not be reached, died, or answered nonsense
  kCutOff,       // the same after its response had begun
  kClientGone,   // the client left, or its request failed, before the end
};

inline constexpr std::size_t kOutcomes = 7;

constexpr std::string_view name_of(Outcome outcome) {
  constexpr std::array<std::string_view, kOutcomes> kNames = {
      "answered", "unavailable", "queue_full", "timed_out", "failed", "cut_off", "client_gone"};
  return kNames[static_cast<std::size_t>(outcome)];
}

// [loop] Any of them may be empty. They are called on every loop.
struct UpstreamMetrics {
  std::function<void(Outcome)> on_end;    // once for each request
  std::function<void(Duration)> on_head;  // from the request's start to the response's head
  std::function<void()> on_retry;         // a request is sent once more
};

}  // namespace bentohost::upstream
