#include <cstring>

#include "wire/frame.h"
#include "wire/frame_layout.h"

namespace bentohost::wire {
namespace {

Status malformed(const char* what) {
  return {BENTO_INVALID_ARGUMENT, std::string("malformed frame: ") + what};
}

// Reads a body from its start; every step is checked against the bytes left.
class Cursor {
 public:
  explicit Cursor(std::span<const char> body) : body_(body) {}

  std::size_t left() const { return body_.size() - at_; }
  // The next `length` bytes; the caller has checked that they are there.
  const char* take(std::size_t length) {
    const char* bytes = body_.data() + at_;
    at_ += length;
    return bytes;
  }
  template <typename T>
  bool read(T& out) {
    if (left() < sizeof out) return false;
    std::memcpy(&out, take(sizeof out), sizeof out);
    return true;
  }
  // Steps to the next multiple of 64; false if the body ends before it.
  bool align() {
    const std::size_t skip = align_up(at_) - at_;
    if (skip > left()) return false;
    at_ += skip;
    return true;
  }

 private:
  std::span<const char> body_;
  std::size_t at_ = 0;
};

Status decode_tensor(const layout::Value& fixed, const char* shape, bento_tensor& tensor) {
  // The shape is at a multiple of 8 in an aligned body, so it can be used in place.
  tensor.shape = reinterpret_cast<const std::int64_t*>(shape);
  tensor.dtype = fixed.dtype;
  tensor.ndim = fixed.ndim;
  const std::int64_t bytes = tensor_bytes(tensor.dtype, shape_of(tensor));
  if (bytes < 0) return malformed("no tensor has this dtype and shape");
  if (static_cast<std::uint64_t>(bytes) != fixed.data_length) {
    return malformed("the data is not as long as the shape says");
  }
  return {};
}

Status check_fixed(const layout::Value& fixed) {
  const bool is_tensor = fixed.kind == BENTO_TENSOR;
  if (!is_tensor && fixed.kind != BENTO_JSON && fixed.kind != BENTO_BYTES && fixed.kind != 0) {
    return malformed("unknown kind of value");
  }
  if (fixed.kind == 0 && (fixed.data_length != 0 || fixed.arena != 0 || fixed.mime_length != 0)) {
    return malformed("data of a value that is not there");
  }
  if (!is_tensor && (fixed.dtype != 0 || fixed.ndim != 0)) return malformed("a shape of no tensor");
  if (fixed.ndim > kMaxDims) return malformed("too many dimensions");
  if (fixed.name_length > kMaxLabel || fixed.mime_length > kMaxLabel) {
    return malformed("a name or a MIME type is too long");
  }
  if (fixed.arena != 0 && fixed.kind == BENTO_JSON) return malformed("JSON in an arena");
  return {};
}

Status decode_value(Cursor& cursor, bento_value& value, Arenas* arenas) {
  layout::Value fixed;
  if (!cursor.align() || !cursor.read(fixed)) return malformed("a value is cut short");
  if (Status status = check_fixed(fixed); !status.ok()) return status;

  // No overflow: ndim and the labels' lengths have just been checked.
  const std::size_t shape_length = fixed.ndim * sizeof(std::int64_t);
  if (cursor.left() < shape_length + fixed.name_length + fixed.mime_length) {
    return malformed("a value's name or shape is cut short");
  }
  const char* shape = cursor.take(shape_length);
  value = {};
  value.size = sizeof value;
  value.kind = fixed.kind;
  value.name = {cursor.take(fixed.name_length), fixed.name_length};
  value.mime = {cursor.take(fixed.mime_length), fixed.mime_length};
  if (!cursor.align()) return malformed("a value's data is cut short");
  bento_bytes data = {nullptr, fixed.data_length};
  if (fixed.arena == 0) {
    if (cursor.left() < fixed.data_length) return malformed("a value's data is cut short");
    data.ptr = cursor.take(fixed.data_length);
  } else {
    if (arenas != nullptr) data.ptr = arenas->find(fixed.arena, fixed.data_length);
    if (data.ptr == nullptr) return malformed("a value is in an arena that it cannot be in");
  }
  if (fixed.kind != BENTO_TENSOR) {
    value.bytes = data;
    return {};
  }
  value.tensor.data = data;
  return decode_tensor(fixed, shape, value.tensor);
}

// Checks the number against the bytes left before the vector is resized to it.
Status make_room_for(std::uint32_t values, const Cursor& cursor, DecodedValues& out) {
  if (cursor.left() / sizeof(layout::Value) < values) {
    return malformed("more values are announced than there is room for");
  }
  out.values.resize(values);
  return {};
}

// Reads the number of callers, checked against the `each` bytes that each of them has, at least.
Status decode_counts(Cursor& cursor, std::size_t each, layout::Counts& counts) {
  if (!cursor.read(counts)) return malformed("the counts are cut short");
  if (counts.callers > kMaxCallers || counts.values > kMaxValues) {
    return malformed("too many callers or values");
  }
  if (cursor.left() < counts.callers * each) return malformed("the callers are cut short");
  return {};
}

Status decode_callers(Cursor& cursor, DecodedValues& out) {
  layout::Counts counts;
  constexpr std::size_t kEach = sizeof(std::uint32_t) + sizeof(layout::Caller);
  if (Status status = decode_counts(cursor, kEach, counts); !status.ok()) return status;
  out.rows.resize(counts.callers);
  out.callers.resize(counts.callers);
  const std::size_t rows_length = counts.callers * sizeof(std::uint32_t);
  if (rows_length > 0) std::memcpy(out.rows.data(), cursor.take(rows_length), rows_length);
  const char* fixed_at = cursor.take(counts.callers * sizeof(layout::Caller));
  for (Caller& caller : out.callers) {
    layout::Caller fixed;
    std::memcpy(&fixed, fixed_at, sizeof fixed);
    fixed_at += sizeof fixed;
    if (fixed.zero != 0) return malformed("a reserved field of a caller is used");
    const std::size_t texts =
        std::size_t{fixed.request_id_length} + std::size_t{fixed.traceparent_length};
    if (cursor.left() < texts) return malformed("the callers' texts are cut short");
    caller.deadline_ns = fixed.deadline_ns;
    caller.request_id = {cursor.take(fixed.request_id_length), fixed.request_id_length};
    caller.traceparent = {cursor.take(fixed.traceparent_length), fixed.traceparent_length};
  }
  return make_room_for(counts.values, cursor, out);
}

// A number that is not an HTTP error status is dropped, since it would be sent in a status line;
// the code then implies the status.
Status error_of(std::int32_t code, std::uint32_t http_status, std::string_view message) {
  if (http_status < 400 || http_status > 599) http_status = 0;
  return Status::with_http(http_status, code, std::string(message));
}

Status decode_failed(Cursor& cursor, DecodedValues& out) {
  layout::Counts counts;
  Status status = decode_counts(cursor, sizeof(layout::FailedCaller), counts);
  if (!status.ok()) return status;
  out.failed.resize(counts.callers);
  const char* fixed_at = cursor.take(counts.callers * sizeof(layout::FailedCaller));
  std::uint64_t least = 0;  // that the next caller may be
  for (FailedCaller& failed : out.failed) {
    layout::FailedCaller fixed;
    std::memcpy(&fixed, fixed_at, sizeof fixed);
    fixed_at += sizeof fixed;
    if (fixed.caller < least) return malformed("the failed callers are not in order");
    if (fixed.code == BENTO_OK || fixed.message_length > kMaxMessage) {
      return malformed("the error of a failed caller");
    }
    if (cursor.left() < fixed.message_length) return malformed("an error's message is cut short");
    failed.caller = fixed.caller;
    failed.status = error_of(fixed.code, fixed.http_status,
                             {cursor.take(fixed.message_length), fixed.message_length});
    least = std::uint64_t{fixed.caller} + 1;
  }
  return make_room_for(counts.values, cursor, out);
}

Status decode_target(Cursor& cursor, CallTarget& target, DecodedValues& out) {
  layout::Target fixed;
  if (!cursor.read(fixed)) return malformed("the target is cut short");
  if (fixed.values > kMaxValues) return malformed("too many values");
  const std::size_t texts = std::size_t{fixed.service_length} + fixed.runner_length +
                            fixed.method_length + fixed.request_id_length;
  if (cursor.left() < texts) return malformed("the target's names are cut short");
  target.deadline_ms = fixed.deadline_ms;
  target.service = {cursor.take(fixed.service_length), fixed.service_length};
  target.runner = {cursor.take(fixed.runner_length), fixed.runner_length};
  target.method = {cursor.take(fixed.method_length), fixed.method_length};
  target.request_id = {cursor.take(fixed.request_id_length), fixed.request_id_length};
  return make_room_for(fixed.values, cursor, out);
}

// `decode_head` reads what comes before the values, and makes room for them.
template <typename DecodeHead>
Status decode_values(std::span<const char> body, DecodedValues& out, Arenas* arenas,
                     DecodeHead decode_head) {
  if (reinterpret_cast<std::uintptr_t>(body.data()) % kDataAlignment != 0) {
    return malformed("the body is not aligned");
  }
  if (body.size() > kMaxBody) return malformed("the body is over the cap");
  Cursor cursor(body);
  if (Status status = decode_head(cursor); !status.ok()) return status;
  for (bento_value& value : out.values) {
    if (Status status = decode_value(cursor, value, arenas); !status.ok()) return status;
  }
  return cursor.left() == 0 ? Status() : malformed("bytes after the last value");
}

Status or_empty(Status status, DecodedValues& out) {
  if (!status.ok()) {
    out.values.clear();
    out.rows.clear();
    out.callers.clear();
    out.failed.clear();
  }
  return status;
}

}  // namespace

Result<FrameHeader> decode_header(std::span<const char> bytes) {
  layout::Header header;
  if (bytes.size() < sizeof header) return malformed("the header is cut short");
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kMagic) return malformed("wrong magic");
  if (header.version != kVersion) return malformed("wrong version");
  if (header.type < static_cast<std::uint8_t>(FrameType::kHello) ||
      header.type > static_cast<std::uint8_t>(FrameType::kRoom)) {
    return malformed("unknown type");
  }
  if (header.body_length > kMaxBody) return malformed("the body is over the cap");
  const auto type = static_cast<FrameType>(header.type);
  const bool more = (header.flags & layout::kFlagMore) != 0;
  if ((header.flags & ~layout::kFlagMore) != 0 || (more && type != FrameType::kResult)) {
    return malformed("a flag that its type does not have");
  }
  std::uint64_t zero = header.reserved;
  for (const std::uint64_t word : header.zero) zero |= word;
  if (zero != 0) return malformed("a reserved field of the header is used");
  return FrameHeader{type, header.id, header.method, header.body_length, more};
}

Status decode_call(std::span<const char> body, DecodedValues& out, Arenas* arenas) {
  out.failed.clear();
  return or_empty(
      decode_values(body, out, arenas, [&](Cursor& cursor) { return decode_callers(cursor, out); }),
      out);
}

Status decode_result(std::span<const char> body, DecodedValues& out, Arenas* arenas) {
  out.rows.clear();
  out.callers.clear();
  return or_empty(
      decode_values(body, out, arenas, [&](Cursor& cursor) { return decode_failed(cursor, out); }),
      out);
}

Status decode_named_call(std::span<const char> body, CallTarget& target, DecodedValues& out) {
  out.rows.clear();
  out.callers.clear();
  out.failed.clear();
  Status status = decode_values(body, out, nullptr,
                                [&](Cursor& cursor) { return decode_target(cursor, target, out); });
  if (!status.ok()) target = {};
  return or_empty(std::move(status), out);
}

Result<Room> decode_room(std::span<const char> body) {
  layout::Room room{};
  Cursor cursor(body);
  if (!cursor.read(room) || cursor.left() != 0) return malformed("room for results");
  return Room{room.results, room.bytes};
}

Status decode_error(std::span<const char> body) {
  layout::Error error{};
  Cursor cursor(body);
  if (!cursor.read(error) || error.code == BENTO_OK || cursor.left() > kMaxMessage) {
    return {BENTO_INTERNAL, "malformed error frame"};
  }
  const std::size_t length = cursor.left();
  return error_of(error.code, error.http_status, {cursor.take(length), length});
}

}  // namespace bentohost::wire
