// The head of a request: where it ends, and what it says. Stricter than RFC 9112 asks where
// leniency has been used for request smuggling: no bare LF, no obs-fold, no blank before a colon,
// one way to frame a body. Pure: bytes in, values out. A refusal is a Status whose http_status() is
// the answer.
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

// How the body is delimited and what becomes of the connection.
struct Framing {
  std::size_t content_length = 0;
  bool chunked = false;
  bool keep_alive = true;
  bool expects_continue = false;
};

// Finds the end of a head that arrives in pieces, looking at each byte once.
class HeadScanner {
 public:
  explicit HeadScanner(const HeadLimits& limits = {}) : limits_(limits) {}

  // `bytes` is all that has arrived of this request, the bytes of earlier calls included.
  Status scan(std::string_view bytes);
  // After a scan() that returned OK: the length of the whole head, or 0 while there is more to
  // come.
  std::size_t size() const { return size_; }

 private:
  Status end_line(std::string_view bytes, std::size_t newline);

  HeadLimits limits_;
  std::size_t line_ = 0;     // where the current line starts
  std::size_t scanned_ = 0;  // no newline before this, since line_
  std::size_t lines_ = 0;    // complete ones; an empty line before the first does not count
  std::size_t size_ = 0;
};

// Parses a head that HeadScanner found. Fills the request's method, target, path, query, version
// and headers, and leaves the rest alone; strings keep their capacity. The host header is that of
// the target where the target names one (RFC 9112 3.2.2). After a refusal they hold what was
// understood so far.
Status parse_head(std::string_view head, Request& request, Framing& framing,
                  const HeadLimits& limits = {});

}  // namespace bentohost::http
