// Conditional and range requests (RFC 9110 13 and 14): the validators of a file, and the part of it
// that a request selects. Pure, with the time as an argument; any thread.
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
  bool is_strong = false;         // etag has no W/; last_modified counts in If-Range
};

// A file that changed less than this ago may change again without a new time: kernels use the last
// tick as the time, some file systems the second.
inline constexpr std::chrono::seconds kSettled(2);

// The ETag is made from time and size, so it survives a restart and is the same on all machines
// that got the file from one archive. As in Apache, it is weak until the file has settled, then
// strong, which ranges need. A time ahead of `now` is shown as `now` (RFC 9110 8.8.2.1).
Validators file_validators(std::uint64_t size, WallTime modified, WallTime now);

// What to respond with.
struct Selection {
  int status = 200;               // 200, 206, 304, 412 or 416
  std::vector<ByteRange> ranges;  // for a 206: at least one
};

// Evaluates If-Match, If-Unmodified-Since, If-None-Match, If-Modified-Since and If-Range with Range
// in the order of RFC 9110 13.2.2, for a request that would be answered with 200 and a
// representation of `size` bytes. Malformed dates and ranges are ignored; a malformed If-Match or
// If-None-Match matches nothing from the defect on. Ranges are for GET alone (14.2).
Selection select(const Request& request, const Validators& validators, std::uint64_t size,
                 WallTime now);

}  // namespace bentohost::http
