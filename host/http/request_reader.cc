#include "http/request_reader.h"

#include <algorithm>
#include <utility>

namespace bentohost::http {
namespace {

// What the previous request left in `request`; the connection's own members stay.
void forget(Request& request) {
  for (std::string* part :
       {&request.method, &request.target, &request.path, &request.query, &request.version}) {
    part->clear();
  }
  request.headers.clear();
}

}  // namespace

void RequestReader::begin_request() {
  state_ = State::kIdle;
  scanner_ = HeadScanner(limits_);
  dechunker_.reset();
  inflater_.reset();
  body_ = nullptr;
  body_bytes_ = 0;
}

Result<std::size_t> RequestReader::feed(std::string_view bytes, Request& request) {
  switch (state_) {
    case State::kIdle:
    case State::kHead:
      return feed_head(bytes, request);
    case State::kBody:
      return feed_body(bytes);
    case State::kHeadDone:
    case State::kDone:
      break;
  }
  return std::size_t{0};
}

Result<std::size_t> RequestReader::feed_head(std::string_view bytes, Request& request) {
  if (bytes.empty()) return std::size_t{0};
  const bool is_first = std::exchange(state_, State::kHead) == State::kIdle;
  if (Status status = scanner_.scan(bytes); !status.ok()) {
    forget(request);
    return status;
  }
  if (scanner_.size() == 0) {
    if (is_first) forget(request);  // in case that the rest never comes
    return std::size_t{0};
  }
  const std::string_view head = bytes.substr(0, scanner_.size());
  if (Status status = parse_head(head, request, framing_, limits_); !status.ok()) return status;
  state_ = State::kHeadDone;
  return head.size();
}

Status RequestReader::begin_body(std::size_t max_body, Request& request, std::string& body) {
  if (framing_.content_length > max_body) {
    return Status::with_http(413, BENTO_INVALID_ARGUMENT,
                             "the body is larger than " + std::to_string(max_body) + " bytes");
  }
  if (has_header(request.headers, "content-encoding")) {
    Result<Inflater> inflater = Inflater::create(request.headers, {max_body});
    if (!inflater.ok()) return std::move(inflater).take_status();
    if (inflater->is_needed()) {
      inflater_ = *std::move(inflater);
      std::erase_if(request.headers, [](const Header& header) {
        return header.name == "content-encoding" || header.name == "content-length";
      });
    }
  }
  body_ = &body;
  left_ = framing_.content_length;
  if (framing_.chunked) dechunker_.emplace(max_body);
  state_ = framing_.chunked || left_ > 0 ? State::kBody : State::kDone;
  return {};
}

Result<std::size_t> RequestReader::feed_body(std::string_view bytes) {
  Result<std::size_t> taken = take(bytes, inflater_ ? coded_ : *body_);
  if (taken.ok()) body_bytes_ += *taken;
  if (!inflater_) return taken;
  // Of what stands before a broken chunk, too: the refusal does not depend on the pieces.
  Status status = inflater_->feed(coded_, *body_);
  coded_.clear();
  if (!status.ok()) return status;
  if (!taken.ok() || state_ != State::kDone) return taken;
  status = inflater_->finish();
  if (!status.ok()) return status;
  return taken;
}

// Appends what `bytes` hold of the body, as it was sent.
Result<std::size_t> RequestReader::take(std::string_view bytes, std::string& to) {
  if (dechunker_) {
    Result<std::size_t> taken = dechunker_->feed(bytes, to);
    if (dechunker_->done()) state_ = State::kDone;
    return taken;
  }
  const std::string_view piece = bytes.substr(0, left_);
  to.append(piece);
  left_ -= piece.size();
  if (left_ == 0) state_ = State::kDone;
  return piece.size();
}

Status RequestReader::at_end() const {
  if (state_ == State::kIdle || state_ == State::kDone) return {};
  return Status::with_http(400, BENTO_INVALID_ARGUMENT, "the connection ended within the request");
}

}  // namespace bentohost::http
