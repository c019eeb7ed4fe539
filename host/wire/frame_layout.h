// The fixed parts of a frame, as frame.h documents them, for memcpy. Private to this room.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/aligned_buffer.h"

namespace bentohost::wire::layout {

static_assert(std::endian::native == std::endian::little, "frames are little-endian");

struct Header {
  std::uint32_t magic;
  std::uint16_t version;
  std::uint8_t type, flags;
  std::uint64_t id;
  std::uint32_t method, reserved;
  std::uint64_t body_length;
  std::uint64_t zero[4];
};
static_assert(sizeof(Header) == kDataAlignment);

// At the start of a kCall or kResult body; `callers` of a kResult are those that have failed.
struct Counts {
  std::uint32_t callers, values;
};
static_assert(sizeof(Counts) == 8);

// Of each caller, after the rows of a kCall.
struct Caller {
  std::uint64_t deadline_ns;
  std::uint16_t request_id_length, traceparent_length;
  std::uint32_t zero;
};
static_assert(sizeof(Caller) == 16);

// Of each failed caller, after the counts of a kResult.
struct FailedCaller {
  std::uint32_t caller;
  std::int32_t code;
  std::uint32_t http_status, message_length;
};
static_assert(sizeof(FailedCaller) == 16);

// At the start of a kNamedCall body.
struct Target {
  std::uint32_t deadline_ms, values;
  std::uint16_t service_length, runner_length, method_length, request_id_length;
};
static_assert(sizeof(Target) == 16);

// A kRoom body.
struct Room {
  std::uint32_t results, bytes;
};
static_assert(sizeof(Room) == 8);

inline constexpr std::uint8_t kFlagMore = 1;

// At the start of each value.
struct Value {
  std::uint32_t kind, dtype, ndim, name_length, mime_length, arena;
  std::uint64_t data_length;
};
static_assert(sizeof(Value) == 32);

// At the start of a kError body.
struct Error {
  std::int32_t code;
  std::uint32_t http_status;
};
static_assert(sizeof(Error) == 8);

}  // namespace bentohost::wire::layout
