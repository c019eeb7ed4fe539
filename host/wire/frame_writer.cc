#include <cassert>
#include <cstring>
#include <iterator>
#include <limits>

#include "wire/frame.h"
#include "wire/frame_layout.h"

namespace bentohost::wire {
namespace {

constexpr std::size_t kFirstCapacity = 4096;
constexpr std::size_t kMaxText = std::numeric_limits<std::uint16_t>::max();

std::string_view message_of(const Status& error) {
  return std::string_view(error.message()).substr(0, kMaxMessage);
}

template <typename T>
char* put(char* at, const T& fixed) {
  std::memcpy(at, &fixed, sizeof fixed);
  return at + sizeof fixed;
}

char* put(char* at, const void* data, std::size_t length) {
  if (length > 0) std::memcpy(at, data, length);
  return at + length;
}

}  // namespace

FrameWriter::FrameWriter(AlignedBuffer& out, FrameType type, std::uint64_t id, std::uint32_t method)
    : out_(out), start_(out.size()) {
  assert(start_ % kDataAlignment == 0);
  if (out_.capacity() == 0) out_.reserve(kFirstCapacity);
  layout::Header header{};
  header.magic = kMagic;
  header.version = kVersion;
  header.type = static_cast<std::uint8_t>(type);
  header.id = id;
  header.method = method;
  put(extend(sizeof header), header);
}

void FrameWriter::text(std::string_view text) {
  put(extend(text.size()), text.data(), text.size());
}

void FrameWriter::rows(std::span<const std::uint32_t> rows, std::uint32_t n_values,
                       std::span<const Caller> callers) {
  assert(callers.empty() || callers.size() == rows.size());
  counts(rows.size(), n_values);
  std::size_t texts = 0;
  for (const Caller& caller : callers) {
    valid_ =
        valid_ && caller.request_id.size() <= kMaxText && caller.traceparent.size() <= kMaxText;
    texts += caller.request_id.size() + caller.traceparent.size();
  }
  if (!valid_) return;
  char* at = extend(rows.size_bytes() + rows.size() * sizeof(layout::Caller) + texts);
  at = put(at, rows.data(), rows.size_bytes());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const Caller caller = callers.empty() ? Caller() : callers[i];
    at = put(
        at, layout::Caller{caller.deadline_ns, static_cast<std::uint16_t>(caller.request_id.size()),
                           static_cast<std::uint16_t>(caller.traceparent.size()), 0});
  }
  for (const Caller& caller : callers) {
    at = put(at, caller.request_id.data(), caller.request_id.size());
    at = put(at, caller.traceparent.data(), caller.traceparent.size());
  }
}

void FrameWriter::value_count(std::uint32_t n, std::span<const FailedCaller> failed) {
  counts(failed.size(), n);
  if (!valid_) return;
  std::size_t messages = 0;
  for (const FailedCaller& each : failed) {
    assert(!each.status.ok());
    messages += message_of(each.status).size();
  }
  char* at = extend(failed.size() * sizeof(layout::FailedCaller) + messages);
  for (const FailedCaller& each : failed) {
    at = put(at, layout::FailedCaller{each.caller, each.status.code(), each.status.http_status(),
                                      static_cast<std::uint32_t>(message_of(each.status).size())});
  }
  for (const FailedCaller& each : failed) {
    const std::string_view message = message_of(each.status);
    at = put(at, message.data(), message.size());
  }
}

void FrameWriter::more() {
  out_[start_ + offsetof(layout::Header, flags)] = static_cast<char>(layout::kFlagMore);
}

void FrameWriter::room(const Room& room) {
  put(extend(sizeof(layout::Room)), layout::Room{room.results, room.bytes});
}

void FrameWriter::target(const CallTarget& target, std::uint32_t n_values) {
  const std::string_view texts[] = {target.service, target.runner, target.method,
                                    target.request_id};
  std::uint16_t lengths[std::size(texts)] = {};
  std::size_t all = 0;
  valid_ = valid_ && n_values <= kMaxValues;
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    valid_ = valid_ && texts[i].size() <= kMaxText;
    lengths[i] = static_cast<std::uint16_t>(texts[i].size());
    all += texts[i].size();
  }
  values_left_ = n_values;
  if (!valid_) return;
  const layout::Target fixed{target.deadline_ms, n_values,   lengths[0],
                             lengths[1],         lengths[2], lengths[3]};
  char* at = put(extend(sizeof fixed + all), fixed);
  for (const std::string_view text : texts) at = put(at, text.data(), text.size());
}

void FrameWriter::value(const bento_value& value) {
  if (!valid_) return;
  if (value.kind == BENTO_TENSOR) {
    const std::int64_t bytes = tensor_bytes(value.tensor.dtype, shape_of(value.tensor));
    copy_c_order(value.tensor, begin_value(value, static_cast<std::size_t>(bytes)));
  } else if (value.kind == 0) {
    (void)begin_value(value, 0);
  } else {
    put(begin_value(value, value.bytes.len), value.bytes.ptr, value.bytes.len);
  }
}

char* FrameWriter::tensor(std::string_view name, std::uint32_t dtype,
                          std::span<const std::int64_t> shape, std::size_t data_length) {
  assert(tensor_bytes(dtype, shape) == static_cast<std::int64_t>(data_length));
  bento_value value{};
  value.kind = BENTO_TENSOR;
  value.name = to_bento(name);
  value.tensor.dtype = dtype;
  value.tensor.ndim = static_cast<std::uint32_t>(shape.size());
  value.tensor.shape = shape.data();
  return begin_value(value, data_length);
}

void FrameWriter::value_in(std::uint32_t arena, const bento_value& value) {
  assert(arena != 0 && value.kind != BENTO_JSON);
  if (!valid_) return;
  const bool is_tensor = value.kind == BENTO_TENSOR;
  (void)begin_value(value, is_tensor ? value.tensor.data.len : value.bytes.len, arena);
}

void FrameWriter::error(const Status& status) {
  assert(!status.ok());
  const std::string_view message = message_of(status);
  const layout::Error error{status.code(), status.http_status()};
  char* at = extend(sizeof error + message.size());
  put(put(at, error), message.data(), message.size());
}

bool FrameWriter::finish() {
  const std::uint64_t body_length = out_.size() - start_ - kHeaderSize;
  if (!valid_ || values_left_ != 0 || body_length > kMaxBody) {
    out_.resize(start_);
    return false;
  }
  put(out_.data() + start_ + offsetof(layout::Header, body_length), body_length);
  extend_aligned(0);
  return true;
}

// Room for `length` bytes at the end, for the caller to fill.
char* FrameWriter::extend(std::size_t length) {
  const std::size_t at = out_.size();
  out_.resize(at + length);
  return out_.data() + at;
}

// The same, from the next multiple of 64 on. The skipped bytes are zeroed, so that no old memory
// leaks to the peer.
char* FrameWriter::extend_aligned(std::size_t length) {
  const std::size_t end = out_.size();
  const std::size_t at = align_up(end);
  out_.resize(at + length);
  std::memset(out_.data() + end, 0, at - end);
  return out_.data() + at;
}

void FrameWriter::counts(std::size_t callers, std::uint32_t n_values) {
  valid_ = valid_ && callers <= kMaxCallers && n_values <= kMaxValues;
  values_left_ = n_values;
  const layout::Counts counts{static_cast<std::uint32_t>(callers), n_values};
  put(extend(sizeof counts), counts);
}

// Writes a value without its data, and returns room for the data. Ignores the value's own data.
char* FrameWriter::begin_value(const bento_value& value, std::size_t data_length,
                               std::uint32_t arena) {
  const std::string_view name = to_view(value.name), mime = to_view(value.mime);
  valid_ = valid_ && values_left_ > 0 && name.size() <= kMaxLabel && mime.size() <= kMaxLabel;
  --values_left_;
  const bool is_tensor = value.kind == BENTO_TENSOR;
  layout::Value fixed{};
  fixed.kind = value.kind;
  fixed.dtype = is_tensor ? value.tensor.dtype : 0;
  fixed.ndim = is_tensor ? value.tensor.ndim : 0;
  fixed.name_length = static_cast<std::uint32_t>(name.size());
  fixed.mime_length = static_cast<std::uint32_t>(mime.size());
  fixed.arena = arena;
  fixed.data_length = data_length;

  const std::size_t shape_length = fixed.ndim * sizeof(std::int64_t);
  const std::size_t head_length = sizeof fixed + shape_length + name.size() + mime.size();
  const std::size_t data_at = align_up(head_length);
  char* head = extend_aligned(data_at + (arena == 0 ? data_length : 0));
  char* at = put(head, fixed);
  at = put(at, value.tensor.shape, shape_length);
  at = put(at, name.data(), name.size());
  at = put(at, mime.data(), mime.size());
  std::memset(at, 0, data_at - head_length);
  return head + data_at;
}

}  // namespace bentohost::wire
