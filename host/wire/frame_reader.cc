#include <algorithm>
#include <cassert>
#include <cstring>
#include <utility>

#include "wire/frame.h"

namespace bentohost::wire {
namespace {

constexpr std::size_t kFirstBuffer = 64 * 1024;   // the capacity of a Linux pipe
constexpr std::size_t kLeastRoom = 16 * 1024;     // less room is not worth a read
constexpr std::size_t kKeptBuffer = 1024 * 1024;  // larger ones are freed when nearly empty

}  // namespace

std::span<char> FrameReader::writable() {
  recycle();
  if (buffer_.size() - end_ < kLeastRoom) make_room();
  return std::span(buffer_).subspan(end_);
}

void FrameReader::commit(std::size_t n) {
  assert(n <= buffer_.size() - end_);
  end_ += n;
}

Result<std::optional<FrameReader::Frame>> FrameReader::next() {
  if (!broken_.ok()) return broken_;
  needed_ = 0;
  if (pending() < kHeaderSize) return std::optional<Frame>();
  const char* at = buffer_.data() + begin_;
  Result<FrameHeader> header = decode_header({at, kHeaderSize});
  if (!header.ok()) {
    broken_ = header.status();
    return broken_;
  }
  const auto body_length = static_cast<std::size_t>(header->body_length);
  needed_ = kHeaderSize + align_up(body_length);
  if (pending() < needed_) return std::optional<Frame>();
  begin_ += std::exchange(needed_, 0);
  return std::optional<Frame>({*header, {at + kHeaderSize, body_length}});
}

AlignedBuffer FrameReader::take_memory(const Frame& frame) {
  const bool is_alone =
      begin_ == end_ && !frame.body.empty() && frame.body.data() == buffer_.data() + kHeaderSize;
  if (!is_alone || frame.body.size() < buffer_.size() / 2) return {};
  begin_ = end_ = 0;
  return std::exchange(buffer_, {});
}

void FrameReader::move_rest(FrameReader& to) {
  assert(to.pending() == 0);
  to.broken_ = broken_;
  for (std::size_t left = pending(); left > 0; left = pending()) {
    const std::span<char> room = to.writable();
    const std::size_t n = std::min(left, room.size());
    std::memcpy(room.data(), buffer_.data() + begin_, n);
    to.commit(n);
    begin_ += n;
  }
}

void FrameReader::recycle() {
  if (!broken_.ok()) begin_ = end_;  // input after a break is ignored
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() > kKeptBuffer && pending() <= kFirstBuffer / 2) move_to(kFirstBuffer);
}

// Compacts if that frees at least half of the buffer, so that fewer bytes are moved than read; else
// doubles the buffer, but not beyond what the frame at begin_ needs.
void FrameReader::make_room() {
  const std::size_t live = pending();
  if (!buffer_.empty() && live <= buffer_.size() / 2) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, live);
    begin_ = 0;
    end_ = live;
    return;
  }
  const std::size_t doubled = std::max(kFirstBuffer, 2 * buffer_.size());
  const std::size_t enough = std::max(buffer_.size(), needed_ + kLeastRoom);
  move_to(needed_ > live ? std::min(doubled, enough) : doubled);
}

// Moves the pending bytes to the start of a new buffer of `size` bytes.
void FrameReader::move_to(std::size_t size) {
  const std::size_t live = pending();
  AlignedBuffer buffer;
  buffer.resize(size);
  if (live > 0) std::memcpy(buffer.data(), buffer_.data() + begin_, live);
  buffer_ = std::move(buffer);
  begin_ = 0;
  end_ = live;
}

}  // namespace bentohost::wire
