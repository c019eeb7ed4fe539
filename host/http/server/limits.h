// Limits: what a client may ask of the front, each with its default and what becomes of a client
// that goes beyond. Values.
#pragma once

#include <cstddef>

#include "base/clock.h"
#include "http/parse/head.h"

namespace bentohost::http {

// What becomes of the requests of a client that has ended its side of the connection. It may still
// read (RFC 9112 9.6), or may have left: TCP does not tell which until something is sent to it.
enum class HalfClose {
  kAnswer,  // they are answered; they are cancelled when it resets, or a write fails
  kDrop,    // they are cancelled: the connection is closed, its queued work dropped
};

struct Limits {
  HeadLimits head;
  std::size_t max_body = 64u << 20;  // bytes, as sent and when de-chunked. Else 413

  Duration header_timeout = std::chrono::seconds(20);  // from its first byte to its end. Else 408
  Duration body_timeout = std::chrono::seconds(300);   // from the head to the body's end. Else 408
  // A body, and a response, may be slower than this for kRateGrace, but not in the long run: a
  // request is answered 408, a response aborted.
  std::size_t min_rate = 240;                         // bytes a second; Kestrel's default
  Duration write_timeout = std::chrono::seconds(30);  // without any progress. Then aborted
  Duration idle_timeout = std::chrono::seconds(75);   // between requests. Then closed
  HalfClose half_close = HalfClose::kAnswer;
  std::size_t max_requests = 0;                // on a connection; 0: any number
  std::size_t max_connections = 16'384;        // in all. Beyond: accepted later
  std::size_t max_connections_per_client = 0;  // of an address; 0: any number. Else 503
  std::size_t max_admin_connections = 128;     // of the admin port. Else 503
};

// Kestrel's, too: MinRequestBodyDataRate.
inline constexpr Duration kRateGrace = std::chrono::seconds(5);

}  // namespace bentohost::http
