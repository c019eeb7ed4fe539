// Writes responses as bytes: status line, headers, framing. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::http {

// How a response's body is delimited.
enum class BodyFraming {
  kSized,    // Content-Length: body.size(); none for 204 and 304
  kGiven,    // streamed; the handler's own Content-Length header gives the length
  kChunked,  // streamed
  kToClose,  // streamed; ends with the connection: HTTP/1.0
};

struct ResponseHead {
  BodyFraming framing = BodyFraming::kSized;
  bool close = false;                // send Connection: close
  bool keep_alive = false;           // send Connection: keep-alive: HTTP/1.0
  std::string_view request_id = {};  // send X-Request-Id; it must be valid. Empty: none
};

// A CR, LF or NUL would let a handler write headers, or whole responses, that we do not see.
// INVALID_ARGUMENT names the header and what is wrong with it.
Status check_header(std::string_view name, std::string_view value);
// The same for all headers.
Status check_headers(const Response& response);
// The same, and for the status, which is between 200 and 599.
Status check_sendable(const Response& response);
// The handler's own Content-Length, if it is a number.
bool find_content_length(const Headers& headers, std::size_t& length);

// Appends the head of a sendable response: all but its body. Adds Date, and Server unless the
// handler set it; leaves out the handler's own framing headers. A head with status 101 says that
// the connection is upgraded to what the handler's Upgrade header names.
void append_head(const Response& response, const ResponseHead& head, std::string& out);

// One chunk (RFC 9112 7.1) of a chunked body; nothing if `bytes` is empty.
void append_chunk(std::string_view bytes, std::string& out);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace bentohost::http
