#include "http/request_reader.h"

#include <algorithm>
#include <cstring>

#include "http/dechunker.h"

namespace bentohost::http {
namespace {

constexpr std::size_t kBufferSize = 16u << 10;
// A body's memory grows with what arrives, not with what its length promises.
constexpr std::size_t kBodyStep = 64u << 10;

Status refuse(std::uint32_t http_status, std::string message) {
  return Status::with_http(http_status, BENTO_INVALID_ARGUMENT, std::move(message));
}

// What the previous request left in `request`; the connection's own members stay.
void forget(Request& request) {
  for (std::string* part : {&request.method, &request.target, &request.path, &request.query,
                            &request.version, &request.body}) {
    part->clear();
  }
  request.headers.clear();
}

Status gone() { return Status(BENTO_CANCELLED, "the client is gone"); }

}  // namespace

RequestReader::RequestReader(Socket& socket, Limits limits)
    : socket_(socket), limits_(limits), buffer_(kBufferSize, '\0') {}

Received RequestReader::await() {
  begin_ = end_ = 0;
  const Received received = socket_.await(buffer_.data(), buffer_.size());
  end_ = received.size;
  return received;
}

Status RequestReader::read(Request& request, Framing& framing) {
  if (Status status = read_head(request, framing); !status.ok()) return status;
  return read_body(framing, request.body);
}

Status RequestReader::read_head(Request& request, Framing& framing) {
  HeadScanner scanner;
  Status status = scanner.scan(unread());
  while (status.ok() && scanner.size() == 0) {
    status = more_bytes();
    if (status.ok()) status = scanner.scan(unread());
  }
  request.arrived = SteadyClock().now();
  if (!status.ok()) {
    forget(request);
    return status;
  }
  const std::string_view head = unread().substr(0, scanner.size());
  begin_ += scanner.size();
  return parse_head(head, request, framing);
}

Status RequestReader::read_body(const Framing& framing, std::string& body) {
  body.clear();
  if (framing.content_length > limits_.max_body) {
    return refuse(413, "the body is larger than " + std::to_string(limits_.max_body) + " bytes");
  }
  const bool is_waiting =
      framing.expects_continue && !has_bytes() && (framing.chunked || framing.content_length > 0);
  if (is_waiting && !socket_.send("HTTP/1.1 100 Continue\r\n\r\n")) return gone();
  return framing.chunked ? read_chunked(body) : read_sized(framing.content_length, body);
}

Status RequestReader::read_sized(std::size_t length, std::string& body) {
  const std::string_view early = unread().substr(0, length);
  body = early;
  begin_ += early.size();
  std::size_t filled = body.size();
  while (filled < length) {
    if (filled == body.size()) {
      body.resize(std::min(length, filled + std::max(filled, kBodyStep)));
    }
    const Received received =
        socket_.receive(body.data() + filled, body.size() - filled, limits_.read_timeout);
    if (Status status = judge(received); !status.ok()) return status;
    filled += received.size;
  }
  return Status();
}

Status RequestReader::read_chunked(std::string& body) {
  Dechunker dechunker(limits_.max_body);
  while (true) {
    const Result<std::size_t> taken = dechunker.feed(unread(), body);
    if (!taken.ok()) return taken.status();
    begin_ += *taken;
    if (dechunker.done()) return Status();
    if (Status status = more_bytes(); !status.ok()) return status;
  }
}

Status RequestReader::more_bytes() {
  make_room();
  const Received received =
      socket_.receive(buffer_.data() + end_, buffer_.size() - end_, limits_.read_timeout);
  end_ += received.size;
  return judge(received);
}

Status RequestReader::judge(Received received) {
  switch (received.kind) {
    case Received::Kind::kBytes:
      return Status();
    case Received::Kind::kTimeout:
      return refuse(408, "the request did not arrive in time");
    case Received::Kind::kEnd:
      return refuse(400, "the connection ended within the request");
    case Received::Kind::kBroken:
      break;
  }
  return gone();
}

void RequestReader::make_room() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  // Only a head fills the buffer, and HeadScanner refuses one beyond kMaxHead.
  if (end_ == buffer_.size()) buffer_.resize(buffer_.size() * 2);
}

}  // namespace bentohost::http
