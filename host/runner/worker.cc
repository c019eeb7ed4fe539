#include "runner/worker.h"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/process/low_priority.h"

namespace bentohost::runner {
namespace {

// A tensor seen as `outer` blocks, each of `rows` rows of `row_bytes`: joining and cutting along an
// axis copies runs of rows between blocks.
struct Blocks {
  std::size_t outer = 1, row_bytes = 1;
};

Blocks blocks_of(std::span<const std::int64_t> shape, std::int32_t axis, std::uint32_t dtype) {
  Blocks blocks;
  blocks.row_bytes = wire::dtype_size(dtype);
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i < static_cast<std::size_t>(axis)) blocks.outer *= static_cast<std::size_t>(shape[i]);
    if (i > static_cast<std::size_t>(axis)) blocks.row_bytes *= static_cast<std::size_t>(shape[i]);
  }
  return blocks;
}

// Writes one input of all calls, from the joined tensor's view: its data is joined at `to`.
void join_rows(const Batch& batch, std::size_t input, const Blocks& blocks, char* to) {
  for (std::size_t block = 0; block < blocks.outer; ++block) {
    for (const CallPtr& call : batch.calls) {
      const std::size_t bytes = call->rows * blocks.row_bytes;
      if (bytes == 0) continue;
      std::memcpy(to, call->inputs[input].data.data() + block * bytes, bytes);
      to += bytes;
    }
  }
}

ArenaSet::Input find_arena(const Batch& batch, std::size_t bytes, ArenaSet& arenas) {
  return bytes > kArenaThreshold && !batch.is_engines() ? arenas.take_input(batch.id, bytes)
                                                        : ArenaSet::Input();
}

void join_input(const Batch& batch, std::size_t input, std::int32_t axis, ArenaSet& arenas,
                wire::FrameWriter& frame) {
  const wire::Value& first = batch.calls.front()->inputs[input];
  std::array<std::int64_t, wire::kMaxDims> shape;
  std::copy(first.shape.begin(), first.shape.end(), shape.begin());
  shape[static_cast<std::size_t>(axis)] = batch.rows;
  const std::span<const std::int64_t> joined(shape.data(), first.shape.size());
  const Blocks blocks = blocks_of(joined, axis, first.dtype);

  const std::size_t total = blocks.outer * batch.rows * blocks.row_bytes;
  if (const ArenaSet::Input arena = find_arena(batch, total, arenas); arena.arena != 0) {
    bento_value view = first.view();
    view.tensor.shape = joined.data();
    view.tensor.data.len = total;
    frame.value_in(arena.arena, view);
    return join_rows(batch, input, blocks, arena.data);
  }
  char* to = frame.tensor(first.name, first.dtype, joined, total);
  // A tensor without bytes may still have a huge number of blocks: (2^40, 0).
  if (to == nullptr || total == 0) return;
  join_rows(batch, input, blocks, to);
}

void write_input(const Batch& batch, std::size_t input, ArenaSet& arenas,
                 wire::FrameWriter& frame) {
  const wire::Value& value = batch.calls.front()->inputs[input];
  const std::size_t bytes = value.kind == BENTO_JSON ? 0 : value.data.size();
  const ArenaSet::Input arena = find_arena(batch, bytes, arenas);
  if (arena.arena == 0) return frame.value(value.view());
  frame.value_in(arena.arena, value.view());
  std::memcpy(arena.data, value.data.data(), bytes);
}

// One call's rows of a result; not copied if they are contiguous in memory.
class RowsOfCall {
 public:
  bento_value cut(const bento_value& whole, std::int32_t axis, std::int64_t first,
                  std::int64_t count) {
    if (axis != 0) {
      owned_ = wire::slice(whole, axis, first, count);
      return owned_.view();
    }
    bento_value part = whole;
    const std::size_t ndim = whole.tensor.ndim;
    std::copy_n(whole.tensor.shape, ndim, shape_.begin());
    shape_[0] = count;
    const Blocks blocks = blocks_of({shape_.data(), ndim}, 0, whole.tensor.dtype);
    part.tensor.shape = shape_.data();
    part.tensor.data.ptr = static_cast<const char*>(whole.tensor.data.ptr) +
                           static_cast<std::size_t>(first) * blocks.row_bytes;
    part.tensor.data.len = static_cast<std::size_t>(count) * blocks.row_bytes;
    return part;
  }

 private:
  std::array<std::int64_t, wire::kMaxDims> shape_;
  wire::Value owned_;
};

}  // namespace

std::size_t PipeWriter::write_some(const char* data, std::size_t length) {
  std::size_t sent = 0;
  while (sent < length) {
    const ssize_t n = ::write(fd_.get(), data + sent, length - sent);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) return sent;
    if (n < 0) return length;
    sent += static_cast<std::size_t>(n);
  }
  return sent;
}

Status PipeWriter::watch(std::function<void()> on_closed) {
  const MutexLock lock(mutex_);
  return loop_.watch(fd_.get(), 0, [this, on_closed = std::move(on_closed)](std::uint32_t events) {
    if ((events & EPOLLERR) != 0) return on_closed();
    flush();
  });
}

void PipeWriter::send(const AlignedBuffer& frame) {
  const MutexLock lock(mutex_);
  if (!fd_) return;
  const bool was_empty = rest_.empty();
  const std::size_t sent = was_empty ? write_some(frame.data(), frame.size()) : 0;
  rest_.insert(rest_.end(), frame.begin() + static_cast<std::ptrdiff_t>(sent), frame.end());
  if (was_empty && !rest_.empty()) loop_.set_events(fd_.get(), EPOLLOUT);
}

void PipeWriter::flush() {
  const MutexLock lock(mutex_);
  if (!fd_) return;
  rest_sent_ += write_some(rest_.data() + rest_sent_, rest_.size() - rest_sent_);
  if (rest_sent_ < rest_.size()) return;
  AlignedBuffer().swap(rest_);
  rest_sent_ = 0;
  loop_.set_events(fd_.get(), 0);
}

void PipeWriter::close() {
  const MutexLock lock(mutex_);
  if (!fd_) return;
  loop_.unwatch(fd_.get());
  fd_.reset();
}

void Worker::kill(TimePoint now, std::string why) {
  killed_for = std::move(why);
  killed_at = now;
  if (pid <= 0) return;
  ::kill(pid, SIGKILL);
  if (is_low_priority) restore_priority(pid);  // we wait for its end
}

bool encode_batch(const Batch& batch, std::int32_t axis, ArenaSet& arenas, AlignedBuffer& out) {
  std::vector<std::uint32_t> rows;
  rows.reserve(batch.calls.size());
  for (const CallPtr& call : batch.calls) rows.push_back(call->rows);

  const std::vector<wire::Value>& inputs = batch.calls.front()->inputs;
  wire::FrameWriter frame(out, wire::FrameType::kCall, batch.id, batch.method);
  frame.rows(rows, static_cast<std::uint32_t>(inputs.size()));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    if (batch.calls.size() == 1) {
      write_input(batch, i, arenas, frame);
    } else {
      join_input(batch, i, axis, arenas, frame);
    }
  }
  return frame.finish();
}

Status deliver_batch(const Batch& batch, std::span<const bento_value> values, std::int32_t axis,
                     ResultFrame& frame) {
  if (batch.calls.size() == 1) {
    if (!std::exchange(batch.calls.front()->finished, true))
      batch.calls.front()->done({Status(), values, &frame, nullptr, /*more=*/false, frame.bytes()});
    return {};
  }
  for (const bento_value& value : values) {
    auto rows = wire::rows_of(value, axis);
    if (!rows.ok()) return std::move(rows).take_status();
    if (*rows != batch.rows) {
      return Status(BENTO_INTERNAL, "it returned " + std::to_string(*rows) + " rows for " +
                                        std::to_string(batch.rows));
    }
  }
  std::shared_ptr<std::vector<RowsOfCall>> cuts;
  std::vector<bento_value> parts(values.size());
  std::int64_t first = 0;
  for (const CallPtr& call : batch.calls) {
    // Rows that are copied may be kept by their call.
    if (cuts == nullptr || axis != 0)
      cuts = std::make_shared<std::vector<RowsOfCall>>(values.size());
    for (std::size_t i = 0; i < values.size(); ++i)
      parts[i] = (*cuts)[i].cut(values[i], axis, first, call->rows);
    first += call->rows;
    if (std::exchange(call->finished, true)) continue;
    call->done({Status(), parts, &frame, axis == 0 ? nullptr : cuts});
  }
  return {};
}

}  // namespace bentohost::runner
