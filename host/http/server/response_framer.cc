#include "http/server/response_framer.h"

namespace bentohost::http {

void ResponseFramer::start(const Request& request, const Response& response) {
  std::size_t length = 0;
  framing_ = find_content_length(response.headers, length) ? BodyFraming::kGiven
             : request.version == "HTTP/1.0"               ? BodyFraming::kToClose
                                                           : BodyFraming::kChunked;
  left_ = length;
  if (is_bodiless({}, response.status)) framing_ = BodyFraming::kSized;
  drops_body_ = is_bodiless(request.method, response.status);
}

Status ResponseFramer::frame(std::string_view piece, std::string& framed) {
  framed.clear();
  if (framing_ == BodyFraming::kGiven) {
    if (piece.size() > left_) {
      return Status(BENTO_FAILED_PRECONDITION, "more bytes than its Content-Length says");
    }
    left_ -= piece.size();
  }
  if (drops_body_) return {};
  if (framing_ == BodyFraming::kChunked) {
    append_chunk(piece, framed);
  } else {
    framed = piece;
  }
  return {};
}

bool ResponseFramer::finish(std::string& out) const {
  if (drops_body_) return true;
  if (framing_ == BodyFraming::kChunked) out += kLastChunk;
  return framing_ != BodyFraming::kGiven || left_ == 0;
}

}  // namespace bentohost::http
