// Inflater: takes the content coding (RFC 9110 8.4) off a request body that arrives in pieces:
// gzip and x-gzip (RFC 1952), deflate (zlib, RFC 1950; and bare RFC 1951 as some clients send it).
// Bounded in size and in ratio, since a few bytes may stand for gigabytes. zlib's state, 40 KiB, is
// allocated with the first byte of a coded body. Pure; one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

struct z_stream_s;  // zlib's

namespace bentohost::http {

// For the Accept-Encoding that should go with a 415 for a coding (RFC 9110 12.5.3).
inline constexpr std::string_view kAcceptedCodings = "gzip, deflate";

struct InflateLimits {
  std::size_t max_body;         // inflated bytes
  std::size_t max_ratio = 100;  // of inflated to coded bytes, from kFreeInflation on; 0: any
};

class Inflater {
 public:
  // What is smaller may have any ratio: an empty image, a matrix of zeros.
  static constexpr std::size_t kFreeInflation = 64u << 10;
  // Output is made, and judged, in steps of this size.
  static constexpr std::size_t kStep = 16u << 10;

  // `content_encoding` is the whole field, of all its lines. At most one coding beside identity:
  // else, or for one that is not known here, a Status with the HTTP status 415 that names it.
  static Result<Inflater> create(std::string_view content_encoding, InflateLimits limits);
  static Result<Inflater> create(const Headers& headers, InflateLimits limits);

  // False: there is no coding, and feed() only copies, up to max_body.
  bool is_needed() const { return coding_ != Coding::kIdentity; }

  // Appends to `out` what `bytes` inflate to. The whole of it is there once all is fed: what lies
  // just behind the end of a step may wait for the next call. An `out` that starts empty is never
  // given memory for more than max_body. A Status tells by its http_status() what to answer: 413
  // beyond a limit, 400 for corrupt data and for bytes after its end. After gzip's end another
  // member may follow, as RFC 1952 2.2 says; the limits hold for all of them together. The outcome
  // does not depend on the pieces. After a failure nothing may be fed.
  Status feed(std::string_view bytes, std::string& out);
  // The same, but stops when it has made `enough` bytes or some more. Returns how many of `bytes`
  // it took.
  Result<std::size_t> feed_some(std::string_view bytes, std::size_t enough, std::string& out);

  // Once the body has ended: 400 if the coded data has not. No bytes at all are an empty body.
  Status finish() const;

 private:
  enum class Coding { kIdentity, kGzip, kDeflate };
  enum class State { kStart, kInside, kEnded };
  struct Closer {
    void operator()(z_stream_s* stream) const;
  };

  Inflater(Coding coding, InflateLimits limits) : coding_(coding), limits_(limits) {}
  Status copy(std::string_view bytes, std::string& out);
  Status begin(char first);
  Status allocate(char first);
  Status step(std::string_view& bytes, std::string& out);
  Status grant();
  Status too_large(std::string_view how) const;

  Coding coding_;
  InflateLimits limits_;
  State state_ = State::kStart;
  std::size_t room_ = 0;  // output bytes granted and not made yet
  std::uint64_t total_in_ = 0;
  std::uint64_t total_out_ = 0;
  std::unique_ptr<z_stream_s, Closer> stream_;
};

}  // namespace bentohost::http
