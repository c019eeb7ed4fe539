// Limits: the limits on what clients may ask of the server, each with its default and with what
// happens beyond it. Values.
#pragma once

#include <cstddef>

#include "base/clock.h"
#include "http/parse/head.h"

namespace bentohost::http {

// How to treat the requests of a client that has ended its side of the connection. It may still
// read (RFC 9112 9.6), or may have left: TCP does not tell which until something is sent to it.
enum class HalfClose {
  kAnswer,  // answer them; cancel them when the client resets, or a write fails
  kDrop,    // cancel them: close the connection and drop its queued work
};

struct Limits {
  HeadLimits head;
  std::size_t max_body = 64u << 20;  // bytes, as sent and de-chunked. Beyond: 413

  Duration header_timeout = std::chrono::seconds(20);  // first byte to end of head. Beyond: 408
  Duration body_timeout = std::chrono::seconds(300);   // end of head to end of body. Beyond: 408
  // A body or a response may be slower than this for kRateGrace, but not in the long run: a
  // request is then answered 408, a response aborted.
  std::size_t min_rate = 240;                         // bytes a second; Kestrel's default
  Duration write_timeout = std::chrono::seconds(30);  // without any progress. Beyond: aborted
  Duration idle_timeout = std::chrono::seconds(75);   // between requests. Beyond: closed
  HalfClose half_close = HalfClose::kAnswer;
  std::size_t max_requests = 0;                // per connection; 0: no limit
  std::size_t max_connections = 16'384;        // in all. Beyond: accepted later
  std::size_t max_connections_per_client = 0;  // per address; 0: no limit. Beyond: 503
  std::size_t max_admin_connections = 128;     // on the admin port. Beyond: 503
};

// Kestrel's default, too: MinRequestBodyDataRate.
inline constexpr Duration kRateGrace = std::chrono::seconds(5);

}  // namespace bentohost::http
