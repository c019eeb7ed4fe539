// ResponseFramer: how the body of a streamed response is delimited on the wire, and the framing of
// its pieces. Pure. It belongs to whoever answers: to the handler, on its thread, from start() to
// the last piece, and then to the connection's loop.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "http/response_writer.h"

namespace bentohost::http {

class ResponseFramer {
 public:
  void start(const Request& request, const Response& response);
  BodyFraming framing() const { return framing_; }

  // Replaces `framed` by a piece of the body as it is sent: nothing where the head is all of the
  // response, see is_bodiless(). FAILED_PRECONDITION: more than the Content-Length says.
  Status frame(std::string_view piece, std::string& framed);
  // That was the last piece: appends the end of the body. False: it is shorter than its
  // Content-Length says, which the client must be able to see.
  bool finish(std::string& out) const;

 private:
  BodyFraming framing_ = BodyFraming::kChunked;
  std::size_t left_ = 0;  // of a Content-Length
  bool drops_body_ = false;
};

}  // namespace bentohost::http
