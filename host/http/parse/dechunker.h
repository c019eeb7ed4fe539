// Dechunker: removes the chunked transfer coding (RFC 9112 7.1) from a body that arrives in pieces.
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

  // Appends the data in `bytes` to `body` and returns how many bytes it took: all, or those up to
  // the end of the body, after which done() is true. The http_status() of an error is the
  // response's: 413 if the body grows beyond max_body, noticed at a chunk's size, before its data;
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
