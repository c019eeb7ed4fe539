#include "http/parse/request_reader.h"

#include <algorithm>
#include <utility>

namespace bentohost::http {
namespace {

// Clears what the previous request left in `request`; the connection's own members stay.
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
  coded_.clear();
  coded_at_ = 0;
  allowance_ = kInflatedAtOnce;
  has_all_ = false;
  broken_ = {};
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
    case State::kInflating:
      if (coded_at_ < coded_.size()) allowance_ = kInflatedAtOnce;
      if (Status status = inflate(); !status.ok()) return status;
      return std::size_t{0};
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
    if (is_first) forget(request);  // in case the rest never comes
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
  // Inflate the data before a broken chunk first: then the error does not depend on the pieces.
  has_all_ = taken.ok() && state_ == State::kDone;
  if (!taken.ok()) broken_ = taken.status();
  if (Status status = inflate(); !status.ok()) return status;
  return taken.ok() ? taken : bytes.size();
}

Status RequestReader::inflate() {
  const std::string_view left = std::string_view(coded_).substr(coded_at_);
  const std::size_t size = body_->size();
  Result<std::size_t> taken = inflater_->feed_some(left, allowance_, *body_);
  if (!taken.ok()) return std::move(taken).take_status();
  allowance_ -= std::min(allowance_, body_->size() - size);
  coded_at_ += *taken;
  state_ = State::kInflating;
  if (coded_at_ < coded_.size()) return {};
  coded_.clear();
  coded_at_ = 0;
  if (!broken_.ok()) return broken_;
  state_ = has_all_ ? State::kDone : State::kBody;
  return has_all_ ? inflater_->finish() : Status();
}

void RequestReader::Backlog::inflate(const std::function<Status(std::size_t)>& grows) {
  for (std::string_view left = coded; !left.empty();) {
    Result<std::size_t> taken = inflater.feed_some(left, kInflatedAtOnce, body);
    status = taken.ok() ? grows(body.size()) : std::move(taken).take_status();
    if (!status.ok()) return;
    left.remove_prefix(*taken);
  }
}

std::unique_ptr<RequestReader::Backlog> RequestReader::take_backlog() {
  coded_.erase(0, std::exchange(coded_at_, 0));
  return std::make_unique<Backlog>(
      Backlog{std::move(*inflater_), std::move(coded_), std::move(*body_), {}});
}

void RequestReader::restore(std::unique_ptr<Backlog> backlog) {
  inflater_ = std::move(backlog->inflater);
  *body_ = std::move(backlog->body);
  coded_.clear();
  if (!backlog->status.ok()) broken_ = std::move(backlog->status);
}

// Appends the part of the body that is in `bytes`, as it was sent.
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
  if (state_ == State::kIdle || state_ == State::kDone || has_all_) return {};
  return Status::with_http(400, BENTO_INVALID_ARGUMENT, "the connection ended within the request");
}

}  // namespace bentohost::http
