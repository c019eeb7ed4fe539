// What a hostile peer of the pipe RPC can send: bytes go through FrameReader in cuts of their own
// choosing, each body through every decoder; what is accepted must be within the body, and survive
// being encoded and decoded again, and being cut up and joined.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string_view>

#include "wire/frame.h"

namespace bentohost::wire {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

bool same_bytes(const void* a, std::size_t a_length, const void* b, std::size_t b_length) {
  return a_length == b_length && (a_length == 0 || std::memcmp(a, b, a_length) == 0);
}

bool same(const bento_value& a, const bento_value& b) {
  const bento_tensor &s = a.tensor, &t = b.tensor;
  return a.kind == b.kind && to_view(a.name) == to_view(b.name) &&
         to_view(a.mime) == to_view(b.mime) &&
         same_bytes(a.bytes.ptr, a.bytes.len, b.bytes.ptr, b.bytes.len) && s.dtype == t.dtype &&
         same_bytes(s.shape, s.ndim * sizeof *s.shape, t.shape, t.ndim * sizeof *t.shape) &&
         same_bytes(s.data.ptr, s.data.len, t.data.ptr, t.data.len);
}

bool same(const Status& a, const Status& b) {
  return a.code() == b.code() && a.http_status() == b.http_status() && a.message() == b.message();
}

// The arenas that a peer may name: two, of different sizes, each once in a frame.
class TwoArenas final : public Arenas {
 public:
  const char* find(std::uint32_t arena, std::uint64_t length) override {
    if (arena == 0 || arena > kArenas || taken_[arena - 1] || length > size(arena)) return nullptr;
    taken_[arena - 1] = true;
    return memory(arena).data();
  }
  // The arena that begins there; 0: none.
  static std::uint32_t at(const void* data) {
    for (std::uint32_t arena = 1; arena <= kArenas; ++arena) {
      if (data == memory(arena).data()) return arena;
    }
    return 0;
  }

 private:
  static constexpr std::uint32_t kArenas = 2;
  static std::size_t size(std::uint32_t arena) { return arena * 4096; }
  static const AlignedBuffer& memory(std::uint32_t arena) {
    static const AlignedBuffer all[kArenas] = {AlignedBuffer(size(1), 'a'),
                                               AlignedBuffer(size(2), 'b')};
    return all[arena - 1];
  }

  bool taken_[kArenas] = {};
};

AlignedBuffer copy_of(std::span<const char> bytes) {
  AlignedBuffer copy;  // exactly as long, so that the sanitizer sees a step beyond
  copy.resize(bytes.size());
  if (!bytes.empty()) std::memcpy(copy.data(), bytes.data(), bytes.size());
  return copy;
}

void check_tensor(const bento_value& value) {
  require(reinterpret_cast<std::uintptr_t>(value.tensor.data.ptr) % kDataAlignment == 0);
  for (std::uint32_t i = 0; i < value.tensor.ndim; ++i) {
    const auto axis = static_cast<std::int32_t>(i);
    const std::int64_t rows = *rows_of(value, axis);
    const Value first = slice(value, axis, 0, rows / 2);
    const Value second = slice(value, axis, rows / 2, rows - rows / 2);
    const bento_value parts[] = {first.view(), second.view()};
    const auto whole = concat(parts, axis);
    require(whole.ok() && same(whole->view(), value));
  }
}

void check_values(const DecodedValues& decoded, FrameType type) {
  AlignedBuffer out;
  FrameWriter frame(out, type, 1, 2);
  const auto n_values = static_cast<std::uint32_t>(decoded.values.size());
  if (type == FrameType::kCall) {
    require(decoded.callers.size() == decoded.rows.size());
    frame.rows(decoded.rows, n_values, decoded.callers);
  } else {
    frame.value_count(n_values, decoded.failed);
  }
  for (const bento_value& value : decoded.values) {
    if (value.kind == 0) {
      require(!Value::copy(value).ok());
      frame.value(value);
      continue;
    }
    const auto copy = Value::copy(value);
    require(copy.ok() && same(copy->view(), value));
    if (value.kind == BENTO_TENSOR) check_tensor(value);
    const void* const data = value.kind == BENTO_TENSOR ? value.tensor.data.ptr : value.bytes.ptr;
    if (const std::uint32_t arena = TwoArenas::at(data); arena != 0) {
      require(value.kind != BENTO_JSON);
      frame.value_in(arena, value);
    } else {
      frame.value(value);
    }
  }
  require(frame.finish());

  const auto header = decode_header(out);
  require(header.ok() && header->type == type);
  const auto body = std::span(out).subspan(kHeaderSize, header->body_length);
  DecodedValues again;
  TwoArenas arenas;
  require((type == FrameType::kCall ? decode_call(body, again, &arenas)
                                    : decode_result(body, again, &arenas))
              .ok());
  require(again.rows == decoded.rows && again.values.size() == decoded.values.size());
  require(again.callers.size() == decoded.callers.size() &&
          again.failed.size() == decoded.failed.size());
  for (std::size_t i = 0; i < again.callers.size(); ++i) {
    const Caller &a = again.callers[i], &b = decoded.callers[i];
    require(a.deadline_ns == b.deadline_ns && a.request_id == b.request_id &&
            a.traceparent == b.traceparent);
  }
  for (std::size_t i = 0; i < again.failed.size(); ++i) {
    const FailedCaller &a = again.failed[i], &b = decoded.failed[i];
    require(a.caller == b.caller && same(a.status, b.status) && !a.status.ok());
    require(i == 0 || again.failed[i - 1].caller < a.caller);
  }
  for (std::size_t i = 0; i < again.values.size(); ++i) {
    require(same(again.values[i], decoded.values[i]));
  }
}

void check_named_call(const CallTarget& target, const DecodedValues& decoded) {
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kNamedCall, 1, 0);
  frame.target(target, static_cast<std::uint32_t>(decoded.values.size()));
  for (const bento_value& value : decoded.values) frame.value(value);
  require(frame.finish());

  const auto body = std::span(out).subspan(kHeaderSize, decode_header(out)->body_length);
  CallTarget again;
  DecodedValues values;
  require(decode_named_call(body, again, values).ok());
  require(again.service == target.service && again.runner == target.runner &&
          again.method == target.method && again.request_id == target.request_id &&
          again.deadline_ms == target.deadline_ms && values.values.size() == decoded.values.size());
  for (std::size_t i = 0; i < values.values.size(); ++i) {
    require(same(values.values[i], decoded.values[i]));
  }
}

void check_error(std::span<const char> body) {
  const Status status = decode_error(body);
  require(!status.ok());
  AlignedBuffer out;
  FrameWriter frame(out, FrameType::kError, 1, 0);
  frame.error(status);
  require(frame.finish());
  const Status again =
      decode_error(std::span(out).subspan(kHeaderSize, decode_header(out)->body_length));
  require(same(again, status));
}

void check_body(std::span<const char> bytes) {
  const AlignedBuffer body = copy_of(bytes);
  DecodedValues decoded;
  for (const bool has_arenas : {false, true}) {
    TwoArenas of_call, of_result;
    if (decode_call(body, decoded, has_arenas ? &of_call : nullptr).ok())
      check_values(decoded, FrameType::kCall);
    if (decode_result(body, decoded, has_arenas ? &of_result : nullptr).ok())
      check_values(decoded, FrameType::kResult);
  }
  if (const auto room = decode_room(body); room.ok()) {
    AlignedBuffer out;
    FrameWriter frame(out, FrameType::kRoom, 1, 0);
    frame.room(*room);
    require(frame.finish());
    require(same_bytes(out.data() + kHeaderSize, body.size(), body.data(), body.size()));
  }
  CallTarget target;
  if (decode_named_call(body, target, decoded).ok()) check_named_call(target, decoded);
  check_error(body);
}

void check_stream(std::span<const char> stream) {
  std::minstd_rand random(
      static_cast<std::uint32_t>(std::hash<std::string_view>()({stream.data(), stream.size()})));
  FrameReader reader;
  while (!stream.empty()) {
    const std::span<char> room = reader.writable();
    const std::size_t n = std::min({std::size_t{1} + random() % 512, room.size(), stream.size()});
    std::memcpy(room.data(), stream.data(), n);
    reader.commit(n);
    stream = stream.subspan(n);
    for (;;) {
      const auto frame = reader.next();
      if (!frame.ok()) return;
      if (!(*frame).has_value()) break;
      require((**frame).body.size() == (**frame).header.body_length);
      require(!(**frame).header.more || (**frame).header.type == FrameType::kResult);
      check_body((**frame).body);
    }
    require(reader.capacity() <= (std::size_t{1} << 20));  // whatever a header claims
  }
}

}  // namespace
}  // namespace bentohost::wire

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bentohost::wire;
  const std::span<const char> bytes(reinterpret_cast<const char*>(data), size);
  check_stream(bytes);
  check_body(bytes);
  return 0;
}
