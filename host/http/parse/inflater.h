// Inflater: decodes the content coding (RFC 9110 8.4) of a request body that arrives in pieces:
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

// The Accept-Encoding to send with a 415 for a coding (RFC 9110 12.5.3).
inline constexpr std::string_view kAcceptedCodings = "gzip, deflate";

struct InflateLimits {
  std::size_t max_body;         // inflated bytes
  std::size_t max_ratio = 100;  // inflated to coded bytes, beyond kFreeInflation; 0: any
};

class Inflater {
 public:
  // Smaller bodies may have any ratio: an empty image, a matrix of zeros.
  static constexpr std::size_t kFreeInflation = 64u << 10;
  // Output is made, and checked, in steps of this size.
  static constexpr std::size_t kStep = 16u << 10;

  // `content_encoding` is the whole field, from all its lines. More than one coding beside
  // identity, or an unknown one, gives a Status with HTTP status 415 that names it.
  static Result<Inflater> create(std::string_view content_encoding, InflateLimits limits);
  static Result<Inflater> create(const Headers& headers, InflateLimits limits);

  // False: the body has no coding, and feed() only copies, up to max_body.
  bool is_needed() const { return coding_ != Coding::kIdentity; }

  // Inflates `bytes` and appends to `out`. All output is there once all input is fed; output just
  // behind the end of a step may wait for the next call. An `out` that starts empty never gets
  // memory for more than max_body. The http_status() of an error is the response's: 413 beyond a
  // limit, 400 for corrupt data and for bytes after its end. Another gzip member may follow, as RFC
  // 1952 2.2 allows; the limits hold for all members together. The outcome does not depend on the
  // pieces. After an error, feed nothing more.
  Status feed(std::string_view bytes, std::string& out);
  // The same, but stops once it has made `enough` bytes or a few more. Returns how many of `bytes`
  // it took.
  Result<std::size_t> feed_some(std::string_view bytes, std::size_t enough, std::string& out);

  // Call at the body's end: 400 if its coded data is incomplete. An empty body is fine.
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
  std::size_t room_ = 0;  // output bytes granted, but not made yet
  std::uint64_t total_in_ = 0;
  std::uint64_t total_out_ = 0;
  std::unique_ptr<z_stream_s, Closer> stream_;
};

}  // namespace bentohost::http
