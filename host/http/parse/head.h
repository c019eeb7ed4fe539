// Finds the end of a request's head, and parses it. Stricter than RFC 9112 where leniency has been
// used for request smuggling: no bare LF, no obs-fold, no blank before a colon, one way to frame a
// body. Pure: bytes in, values out. The http_status() of an error is the response's.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::http {

struct HeadLimits {
  std::size_t max_request_line = 8u << 10;  // bytes; RFC 9112 3 asks for 8000. Else 414
  std::size_t max_head = 64u << 10;         // bytes, with its last empty line. Else 431
  std::size_t max_headers = 100;            // as sent. Else 431
};

// How the body is delimited, and whether the connection is kept.
struct Framing {
  std::size_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Finds the end of a head that arrives in pieces; reads each byte once.
class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits = {}) : limits_(limits) {}

  // `bytes` is all of the request that has arrived, including the bytes of earlier calls.
  Status scan(std::string_view bytes);
  // After a scan() that returned OK: the length of the whole head, or 0 if it is not complete.
  std::size_t size() const { return size_; }

 private:
  Status end_line(std::string_view bytes, std::size_t newline);

  HeadLimits limits_;
  std::size_t line_ = 0;     // where the current line starts
  std::size_t scanned_ = 0;  // no newline between line_ and here
  std::size_t lines_ = 0;    // complete lines, without an empty one before the first
  std::size_t size_ = 0;
};

// Parses a head that HeadScanner found. Fills the request's method, target, path, query, version
// and headers, and leaves the rest alone; strings keep their capacity. If the target names a host,
// that replaces the host header (RFC 9112 3.2.2). After an error the members hold what was
// understood so far.
Status parse_head(std::string_view head, Request& request, Framing& framing,
                  const HeadLimits& limits = {});

}  // namespace bentohost::http
