// The frames between the host and its runner processes (pipes), and between the host and clients of
// its runners (sockets): pure encoding and decoding, bytes in, values out; no descriptors, no
// threads. Little-endian. Layout of a frame:
//
//   0 u32 magic  4 u16 version  6 u8 type  7 u8 flags  8 u64 id  16 u32 method  20 u32 zero
//   24 u64 body length  32..63 zero, then the body, then zeros up to a multiple of 64
//
// Flags: bit 0, `more`, of a kResult: another result of the same call follows. The other bits are
// 0.
//
// The header is as long as the data's alignment, so that tensor data aligned within a frame is
// aligned in memory when the frame is read into an AlignedBuffer. Bodies, offsets from the body's
// start:
//
//   kHello, kReport  the text
//   kReady           nothing
//   kCall, kResult   0 u32 callers (kResult: 0)  4 u32 values  8 u32 rows[callers], then the values
//   kError           0 i32 code  4 u32 HTTP status, then the message
//   kNamedCall       0 u32 milliseconds left (0: no deadline)  4 u32 values  8 u16 lengths[4], then
//                    four texts: service, runner, method, request id; then the values
//   kRoom            0 u32 results  4 u32 bytes
//   kCancel, kList, kNoArena   nothing
//
// A value begins at the next multiple of 64, offsets from there:
//
//   0 u32 kind  4 u32 dtype  8 u32 ndim  12 u32 name length  16 u32 MIME length  20 u32 arena
//   24 u64 data length  32 i64 shape[ndim], name, MIME type, zeros up to a multiple of 64, data
//
// The data of a large tensor, or of large bytes, may lie in an arena instead, which is memory that
// both processes have mapped (base/process/shared_memory.h): from its start on. `arena` is then the
// arena's number, otherwise 0, and no data follows. Frames on sockets have no arenas.
//
// A decoder trusts nothing: each length is checked against the bytes that are there, and against
// kMaxBody, before memory is allocated for it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "wire/value.h"

namespace bentohost::wire {

inline constexpr std::uint32_t kMagic = 0x4F544E42;  // "BNTO"
inline constexpr std::uint16_t kVersion = 2;
inline constexpr std::size_t kHeaderSize = 64;
inline constexpr std::uint64_t kMaxBody = std::uint64_t{1} << 31;  // 2 GiB
inline constexpr std::uint32_t kMaxCallers = 1u << 20;
inline constexpr std::uint32_t kMaxValues = 1u << 10;
inline constexpr std::size_t kMaxMessage = 1u << 16;  // of a kError; longer ones are cut

enum class FrameType : std::uint8_t {
  kHello = 1,   // host to runner, once: JSON (runner/hello.h)
  kReady = 2,   // runner to host, once: create() is done
  kCall = 3,    // host to runner: one `run`: rows per caller, then the inputs
  kResult = 4,  // runner to host, same id: the outputs
  kError = 5,   // runner to host, same id (0: before kReady): code, HTTP status, message

  // Of clients of the host's runners; answered by kResult or kError with the same id.
  kNamedCall = 6,  // a call that names its runner
  // Also host to runner: nobody waits for the call with this id any more. Not answered itself; the
  // call still is.
  kCancel = 7,
  kList = 8,  // which services, runners and methods there are

  kReport = 9,  // runner to host, unasked: JSON, what the runner's own metrics have gained

  // Runner to host, same id: it cannot reach an arena that the call names. Send it without.
  kNoArena = 10,

  // Host to runner, id of a call that streams: its caller has taken results of so many bytes.
  kRoom = 11,
};

struct FrameHeader {
  FrameType type{};
  std::uint64_t id = 0;
  std::uint32_t method = 0;
  std::uint64_t body_length = 0;
  bool more = false;  // kResult: another result follows
};

// Reads the first kHeaderSize bytes. INVALID_ARGUMENT: wrong magic, version or type, a body over
// kMaxBody, flags that the type does not have, reserved bytes that are not zero.
Result<FrameHeader> decode_header(std::span<const char> bytes);

// Finds the arenas that a frame names: a peer's own view of them.
class Arenas {
 public:
  // The start of an arena's memory, aligned as tensor data is. Null: the peer that sent the frame
  // may not name this arena (now), or it has fewer than `length` bytes.
  virtual const char* find(std::uint32_t arena, std::uint64_t length) = 0;

 protected:
  ~Arenas() = default;
};

// What the caller of a stream has taken.
struct Room {
  std::uint32_t results = 0, bytes = 0;
};

// Which runner method a kNamedCall is for.
struct CallTarget {
  std::string_view service, runner, method;  // no service: any that has the runner
  std::string_view request_id;
  std::uint32_t deadline_ms = 0;  // time left when the call was sent; 0: no deadline
};

// Writes a frame at the end of `out`; finish() sets the body length. `out` must be empty or hold
// whole frames, each padded to 64 bytes, so that data stays aligned.
class FrameWriter {
 public:
  FrameWriter(AlignedBuffer& out, FrameType type, std::uint64_t id, std::uint32_t method);
  void text(std::string_view text);                                        // kHello, kReport
  void rows(std::span<const std::uint32_t> rows, std::uint32_t n_values);  // kCall, first
  void value_count(std::uint32_t n);                                       // kResult, first
  void more();                                                             // kResult
  void room(const Room& room);                                             // kRoom
  void target(const CallTarget& target, std::uint32_t n_values);           // kNamedCall, first
  // kCall, kResult, kNamedCall. `value` has passed check_value(). Strided tensors are written in C
  // order.
  void value(const bento_value& value);
  // Writes a tensor's header and returns room for its data, to be filled before the next call. So
  // batching gathers many callers' rows directly. `data_length` must match the shape.
  char* tensor(std::string_view name, std::uint32_t dtype, std::span<const std::int64_t> shape,
               std::size_t data_length);
  // The same for data that is at the start of an arena, in C order; `value` has its length. Not in
  // a kNamedCall.
  void value_in(std::uint32_t arena, const bento_value& value);
  void error(const Status& status);  // kError; `status` is not OK
  // False for a frame that no peer would accept (over kMaxBody, kMaxCallers, kMaxValues or
  // kMaxLabel; a name of a target that is longer than 64 KiB; fewer or more values than announced):
  // all its bytes are removed from `out`.
  bool finish();

 private:
  char* extend(std::size_t length);
  char* extend_aligned(std::size_t length);
  void counts(std::span<const std::uint32_t> rows, std::uint32_t n_values);
  char* begin_value(const bento_value& value, std::size_t data_length, std::uint32_t arena = 0);

  AlignedBuffer& out_;
  std::size_t start_;
  std::uint32_t values_left_ = 0;
  bool valid_ = true;
};

// The contents of a kCall or kResult body. The views, shapes included, point into `body`, which
// must outlive them and start at a 64-byte boundary, or into arenas. Reuse one object: once it has
// the capacity, decoding allocates nothing.
struct DecodedValues {
  std::vector<bento_value> values;
  std::vector<std::uint32_t> rows;  // kCall
};
// INVALID_ARGUMENT for a malformed body; `out` is then empty. Without `arenas` it may name none.
Status decode_call(std::span<const char> body, DecodedValues& out, Arenas* arenas = nullptr);
Status decode_result(std::span<const char> body, DecodedValues& out, Arenas* arenas = nullptr);
// The same for a kNamedCall body; the texts of `target` point into it, too.
Status decode_named_call(std::span<const char> body, CallTarget& target, DecodedValues& out);
// INVALID_ARGUMENT for a malformed kRoom body.
Result<Room> decode_room(std::span<const char> body);
// The error in a kError body. A malformed body gives INTERNAL "malformed error frame".
Status decode_error(std::span<const char> body);

// Cuts a byte stream into frames. Read up to writable().size() bytes into writable(), then call
// commit(n), then next() until it is empty. A malformed header breaks the stream for good. The
// buffer doubles as bytes arrive, and does not trust the length in a header.
class FrameReader {
 public:
  struct Frame {
    FrameHeader header;
    std::span<const char> body;  // 64-byte aligned; valid until the next writable() or recycle()
  };
  std::span<char> writable();  // never empty
  void commit(std::size_t n);
  Result<std::optional<Frame>> next();
  // Invalidates the frames taken so far, and frees the memory that a huge one needed. writable()
  // calls it first. Call it before waiting for the peer without a writable().
  void recycle();
  // Moves the bytes that next() has not returned to another reader, which must be empty. The frames
  // taken so far stay where they are.
  void move_rest(FrameReader& to);
  // Bytes of an incomplete frame that have arrived.
  std::size_t pending() const { return end_ - begin_; }
  // Bytes of memory held.
  std::size_t capacity() const { return buffer_.size(); }
  // The memory that the last frame is in, if nothing else is in it and recycle() would free it;
  // otherwise empty. The frame stays where it is.
  AlignedBuffer take_memory(const Frame& frame);

 private:
  void make_room();
  void move_to(std::size_t size);

  AlignedBuffer buffer_;
  std::size_t begin_ = 0, end_ = 0;  // begin_ is always a multiple of 64
  std::size_t needed_ = 0;           // the size of the frame at begin_; 0: unknown yet
  Status broken_;
};

}  // namespace bentohost::wire
