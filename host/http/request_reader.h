// RequestReader: takes whole requests, one after the other, from a connection's bytes: head,
// framing, limits, body. Bytes that came early stay for the next request. One thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "http/head.h"
#include "http/message.h"
#include "http/socket.h"

namespace bentohost::http {

class RequestReader {
 public:
  struct Limits {
    std::size_t max_body;
    Duration read_timeout;
  };
  RequestReader(Socket& socket, Limits limits);

  // Whether bytes of a further request are here already.
  bool has_bytes() const { return begin_ != end_; }
  // Waits for the first bytes of a request, when there are none.
  Received await();

  // Reads the rest of the request. A Status says what to answer by its http_status(); CANCELLED
  // says that there is nobody to answer. After a failure the connection cannot be used for another
  // request.
  Status read(Request& request, Framing& framing);

 private:
  std::string_view unread() const { return {buffer_.data() + begin_, end_ - begin_}; }
  Status read_head(Request& request, Framing& framing);
  Status read_body(const Framing& framing, std::string& body);
  Status read_sized(std::size_t length, std::string& body);
  Status read_chunked(std::string& body);
  Status more_bytes();
  Status judge(Received received);
  void make_room();

  Socket& socket_;
  Limits limits_;
  std::string buffer_;
  std::size_t begin_ = 0;  // of the bytes that are not used yet
  std::size_t end_ = 0;
};

}  // namespace bentohost::http
