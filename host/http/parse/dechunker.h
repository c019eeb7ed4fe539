// Dechunker: takes the chunked transfer coding (RFC 9112 7.1) off a body that arrives in pieces.
// Strict: hexadecimal digits only, CR LF only. Chunk extensions and trailers are checked, bounded
// and dropped. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::http {

class Dechunker {
 public:
  explicit Dechunker(std::size_t max_body) : max_body_(max_body) {}

  // Appends the data in `bytes` to `body` and returns how many bytes it took: all of them, or those
  // up to the end of the body, after which done(). A Status tells by its http_status() what to
  // answer: 413 when the body grows beyond max_body, seen at a chunk's size and before its data;
  // else 400.
  Result<std::size_t> feed(std::string_view bytes, std::string& body);
  bool done() const { return state_ == State::kDone; }

 private:
  enum class State {
    kSizeStart,  // the first digit of a size
    kSize,
    kExtension,
    kSizeLf,
    kData,
    kDataCr,
    kDataLf,
    kTrailerStart,
    kTrailerName,
    kTrailer,
    kTrailerLf,
    kEndLf,
    kDone,
  };
  Status step(char c);
  Status size_digit(char c);
  Status overhead();
  Status expect(bool holds, State next);

  std::size_t max_body_;
  State state_ = State::kSizeStart;
  std::size_t total_ = 0;     // data bytes so far
  std::size_t left_ = 0;      // data bytes of this chunk still to come
  std::size_t overhead_ = 0;  // bytes of extensions, trailers and leading zeros, of the whole body
};

}  // namespace bentohost::http
