// Conditional and range requests (RFC 9110 13 and 14): the validators of a file, and what of it a
// request selects. Pure, the time is an argument; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <vector>

#include "http/files/byte_range.h"
#include "http/message.h"

namespace bentohost::http {

using WallTime = std::chrono::sys_time<std::chrono::nanoseconds>;

struct Validators {
  std::string etag;               // as in the ETag field: "..." or W/"...", with the quotes
  std::time_t last_modified = 0;  // as in Last-Modified
  bool is_strong = false;         // etag has no W/, and last_modified counts in If-Range
};

// A file younger than this may change again without a difference in its time: kernels stamp with
// the last tick, some file systems with the second.
inline constexpr std::chrono::seconds kSettled(2);

// The ETag is made of time and size, so it survives a restart and is the same on each machine that
// has the file from one archive. It is strong, which ranges need, once the file has settled, and
// weak before. As Apache does. A time ahead of `now` is shown as `now` (RFC 9110 8.8.2.1).
Validators file_validators(std::uint64_t size, WallTime modified, WallTime now);

// What to answer with.
struct Selection {
  int status = 200;               // 200, 206, 304, 412 or 416
  std::vector<ByteRange> ranges;  // of a 206: at least one
};

// Evaluates If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range with Range
// in the order of RFC 9110 13.2.2, for a request that would be answered with 200 and a
// representation of `size` bytes. Malformed: dates and ranges are ignored, an If-Match matches
// nothing from the defect on, and so does an If-None-Match. Ranges are for GET alone (14.2).
Selection select(const Request& request, const Validators& validators, std::uint64_t size,
                 WallTime now);

}  // namespace bentohost::http
