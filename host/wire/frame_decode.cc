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
  if (!is_tensor && fixed.kind != BENTO_JSON && fixed.kind != BENTO_BYTES) {
    return malformed("unknown kind of value");
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

Status decode_counts(Cursor& cursor, DecodedValues& out) {
  layout::Counts counts;
  if (!cursor.read(counts)) return malformed("the counts are cut short");
  if (counts.callers > kMaxCallers || counts.values > kMaxValues) {
    return malformed("too many callers or values");
  }
  const std::size_t rows_length = counts.callers * sizeof(std::uint32_t);
  if (cursor.left() < rows_length) return malformed("the callers' rows are cut short");
  out.rows.resize(counts.callers);
  if (rows_length > 0) std::memcpy(out.rows.data(), cursor.take(rows_length), rows_length);
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

Status decode_counted(std::span<const char> body, DecodedValues& out, Arenas* arenas) {
  return decode_values(body, out, arenas,
                       [&](Cursor& cursor) { return decode_counts(cursor, out); });
}

Status or_empty(Status status, DecodedValues& out) {
  if (!status.ok()) {
    out.values.clear();
    out.rows.clear();
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
  return or_empty(decode_counted(body, out, arenas), out);
}

Status decode_result(std::span<const char> body, DecodedValues& out, Arenas* arenas) {
  Status status = decode_counted(body, out, arenas);
  if (status.ok() && !out.rows.empty()) status = malformed("a result with callers");
  return or_empty(std::move(status), out);
}

Status decode_named_call(std::span<const char> body, CallTarget& target, DecodedValues& out) {
  out.rows.clear();
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
  // A number that is not an HTTP error status is dropped, since it would be sent in a status line;
  // the code then implies the status.
  if (error.http_status < 400 || error.http_status > 599) error.http_status = 0;
  const std::size_t length = cursor.left();
  return Status::with_http(error.http_status, error.code, std::string(cursor.take(length), length));
}

}  // namespace bentohost::wire
