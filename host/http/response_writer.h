// Responses as bytes: status line, headers, framing. Pure; one thread at a time.
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
  kGiven,    // streamed, of the length that the handler's own Content-Length header gives
  kChunked,  // streamed
  kToClose,  // streamed, and the connection's end is its end: HTTP/1.0
};

struct ResponseHead {
  BodyFraming framing = BodyFraming::kSized;
  bool close = false;       // say Connection: close
  bool keep_alive = false;  // say Connection: keep-alive: HTTP/1.0
};

// A CR, LF or NUL from a handler would let it write headers, or whole responses, that we do not
// see. INVALID_ARGUMENT names the header and what is wrong with it.
Status check_header(std::string_view name, std::string_view value);
// The same for the status and all headers.
Status check_sendable(const Response& response);
// The handler's own Content-Length, if it is a number.
bool find_content_length(const Headers& headers, std::size_t& length);

// Appends the head; of `response` a sendable one, everything but its body. Date and Server are
// added (unless the handler set a Server); the handler's own framing headers are left out.
void append_head(const Response& response, const ResponseHead& head, std::string& out);

// One chunk (RFC 9112 7.1) of a chunked body; nothing for no bytes.
void append_chunk(std::string_view bytes, std::string& out);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace bentohost::http
