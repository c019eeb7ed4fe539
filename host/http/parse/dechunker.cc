#include "http/parse/dechunker.h"

#include <algorithm>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

// A bound on all that is neither data nor framing; no client that we know sends any.
constexpr std::size_t kMaxOverhead = 8u << 10;

Status malformed() {
  return Status::with_http(400, BENTO_INVALID_ARGUMENT, "the chunked body is malformed");
}

}  // namespace

Result<std::size_t> Dechunker::feed(std::string_view bytes, std::string& body) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !done()) {
    if (state_ == State::kData) {
      const std::size_t piece = std::min(left_, bytes.size() - taken);
      body.append(bytes.substr(taken, piece));
      taken += piece;
      left_ -= piece;
      total_ += piece;
      if (left_ == 0) state_ = State::kDataCr;
    } else {
      if (Status status = step(bytes[taken]); !status.ok()) return status;
      ++taken;
    }
  }
  return taken;
}

Status Dechunker::step(char c) {
  const bool is_text = is_field_value(std::string_view(&c, 1));
  switch (state_) {
    case State::kSizeStart:
      return size_digit(c);
    case State::kSize:
      if (c == '\r') return expect(true, State::kSizeLf);
      if (c == ';') return expect(true, State::kExtension);
      return size_digit(c);
    case State::kExtension:
      if (c == '\r') return expect(true, State::kSizeLf);
      return is_text ? overhead() : malformed();
    case State::kSizeLf:
      return expect(c == '\n', left_ > 0 ? State::kData : State::kTrailerStart);
    case State::kDataCr:
      return expect(c == '\r', State::kDataLf);
    case State::kDataLf:
      return expect(c == '\n', State::kSizeStart);
    case State::kTrailerStart:
      if (c == '\r') return expect(true, State::kEndLf);
      state_ = State::kTrailerName;
      return is_token(std::string_view(&c, 1)) ? overhead() : malformed();
    case State::kTrailerName:  // RFC 9112 7.1.2 and 5.1: no blank before the colon
      if (c == ':') state_ = State::kTrailer;
      return c == ':' || is_token(std::string_view(&c, 1)) ? overhead() : malformed();
    case State::kTrailer:
      if (c == '\r') return expect(true, State::kTrailerLf);
      return is_text ? overhead() : malformed();
    case State::kTrailerLf:
      return expect(c == '\n', State::kTrailerStart);
    case State::kEndLf:
      return expect(c == '\n', State::kDone);
    case State::kData:
    case State::kDone:
      break;
  }
  return malformed();
}

Status Dechunker::size_digit(char c) {
  const int digit = hex_digit(c);
  if (digit < 0) return malformed();
  state_ = State::kSize;
  if (digit == 0 && left_ == 0) return overhead();
  // Checked at each digit, so that the sum cannot overflow.
  left_ = left_ * 16 + static_cast<std::size_t>(digit);
  if (left_ <= max_body_ - total_) return Status();
  return Status::with_http(413, BENTO_INVALID_ARGUMENT,
                           "the body is larger than " + std::to_string(max_body_) + " bytes");
}

Status Dechunker::overhead() { return ++overhead_ <= kMaxOverhead ? Status() : malformed(); }

Status Dechunker::expect(bool holds, State next) {
  if (!holds) return malformed();
  state_ = next;
  return Status();
}

}  // namespace bentohost::http
