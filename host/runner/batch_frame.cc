#include "runner/batch_frame.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <span>
#include <utility>
#include <vector>

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
  const bool takes_arena = bytes > kArenaThreshold && !batch.is_engines();
  return takes_arena ? arenas.take_input(batch.id, bytes) : ArenaSet::Input();
}

void join_input(const Batch& batch, std::size_t input, std::int32_t axis, ArenaSet& arenas,
                wire::FrameWriter& frame) {
  const wire::Value& first = batch.calls.front()->inputs[input];
  if (first.kind == 0) return frame.value(first.view());  // of all calls, or they would not join
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

void write_input(const Batch& batch, const wire::Value& value, ArenaSet& arenas,
                 wire::FrameWriter& frame) {
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

// Of CLOCK_MONOTONIC; 0: none.
std::uint64_t nanoseconds_of(TimePoint deadline) {
  if (deadline == kNoDeadline) return 0;
  const auto since =
      std::chrono::duration_cast<std::chrono::nanoseconds>(deadline.time_since_epoch());
  return static_cast<std::uint64_t>(since.count());
}

}  // namespace

bool encode_batch(const Batch& batch, const plugin::MethodSpec& method, ArenaSet& arenas,
                  AlignedBuffer& out) {
  std::vector<std::uint32_t> rows;
  std::vector<wire::Caller> callers;
  rows.reserve(batch.calls.size());
  callers.reserve(batch.calls.size());
  for (const CallPtr& call : batch.calls) {
    rows.push_back(call->rows);
    callers.push_back({nanoseconds_of(call->wanted_until), call->request_id, call->traceparent});
  }
  const std::size_t inputs = batch.calls.front()->inputs.size();
  const bool is_joined = !method.lists && batch.calls.size() > 1;
  const std::size_t values = is_joined ? inputs : inputs * batch.calls.size();
  wire::FrameWriter frame(out, wire::FrameType::kCall, batch.id, batch.method);
  frame.rows(rows, static_cast<std::uint32_t>(values), callers);
  if (is_joined) {
    for (std::size_t i = 0; i < inputs; ++i) join_input(batch, i, method.axis_in, arenas, frame);
    return frame.finish();
  }
  for (const CallPtr& call : batch.calls) {
    for (const wire::Value& value : call->inputs) write_input(batch, value, arenas, frame);
  }
  return frame.finish();
}

namespace {

// Hands out the parts of a result, caller by caller.
class Delivery {
 public:
  Delivery(const Batch& batch, const wire::DecodedValues& result, const plugin::MethodSpec& method,
           ResultFrame& frame)
      : batch_(batch), result_(result), method_(method), frame_(frame) {}

  Result<Delivered> run() {
    Status status = check_failed();
    if (status.ok()) status = method_.lists ? check_lists() : check_joined();
    if (!status.ok()) return status;
    if (result_.failed.size() == batch_.calls.size()) {
      hand_out([](std::size_t) {});  // there may be no values
    } else if (method_.lists) {
      hand_out([this](std::size_t caller) { give_list(caller); });
    } else if (batch_.calls.size() == 1) {
      hand_out([this](std::size_t caller) {
        batch_.calls[caller]->done({Status(), result_.values, &frame_});
      });
    } else {
      cut_and_hand_out();
    }
    return delivered_;
  }

 private:
  static Status wrong(std::string message) { return Status(BENTO_INTERNAL, std::move(message)); }

  // They are in ascending order.
  Status check_failed() const {
    if (result_.failed.empty()) return {};
    if (!method_.batchable) return wrong("it failed callers of a method without batches");
    if (result_.failed.back().caller < batch_.calls.size()) return {};
    return wrong("it failed caller " + std::to_string(result_.failed.back().caller) + " of " +
                 std::to_string(batch_.calls.size()));
  }

  Status check_lists() const {
    const std::size_t each = method_.outs.size(), expected = each * batch_.calls.size();
    if (result_.values.size() != expected) {
      return wrong("it returned " + std::to_string(result_.values.size()) + " values for " +
                   std::to_string(expected));
    }
    auto failed = result_.failed.begin();
    for (std::size_t i = 0; i < expected; ++i) {
      while (failed != result_.failed.end() && failed->caller < i / each) ++failed;
      const bool has_failed = failed != result_.failed.end() && failed->caller == i / each;
      if (result_.values[i].kind == 0 && !has_failed) return wrong("it left a value out");
    }
    return {};
  }

  Status check_joined() const {
    if (result_.failed.size() == batch_.calls.size()) return {};
    if (method_.streams && result_.values.empty()) return {};  // its end needs no result
    const std::size_t declared = method_.outs.size();
    if (plugin::are_named(method_.outs) && result_.values.size() != declared) {
      return wrong("it returned " + std::to_string(result_.values.size()) + " values for " +
                   std::to_string(declared));
    }
    for (const bento_value& value : result_.values) {
      if (value.kind == 0) return wrong("it left a value out");
      if (batch_.calls.size() == 1) continue;  // what is not cut needs no rows
      auto rows = wire::rows_of(value, method_.axis_out);
      if (!rows.ok()) return std::move(rows).take_status();
      if (*rows != batch_.rows) {
        return wrong("it returned " + std::to_string(*rows) + " rows for " +
                     std::to_string(batch_.rows));
      }
    }
    return {};
  }

  // Calls `give` for each call that has neither finished nor failed.
  template <typename Give>
  void hand_out(Give&& give) {
    auto failed = result_.failed.begin();
    for (std::size_t i = 0; i < batch_.calls.size(); ++i) {
      const bool has_failed = failed != result_.failed.end() && failed->caller == i;
      const Status* const why = has_failed ? &(failed++)->status : nullptr;
      Call& call = *batch_.calls[i];
      if (std::exchange(call.finished, true)) continue;
      if (has_failed) {
        ++delivered_.failed;
        call.done({*why, {}});
      } else {
        ++delivered_.ok;
        give(i);
      }
    }
  }

  void give_list(std::size_t caller) {
    const std::size_t each = method_.outs.size();
    const auto values = std::span(result_.values).subspan(caller * each, each);
    batch_.calls[caller]->done({Status(), values, &frame_});
  }

  void cut_and_hand_out() {
    const std::int32_t axis = method_.axis_out;
    const std::vector<bento_value>& values = result_.values;
    std::vector<std::int64_t> first(batch_.calls.size());
    for (std::size_t i = 1; i < first.size(); ++i) {
      first[i] = first[i - 1] + batch_.calls[i - 1]->rows;
    }
    std::shared_ptr<std::vector<RowsOfCall>> cuts;
    std::vector<bento_value> parts(values.size());
    hand_out([&](std::size_t caller) {
      // Rows that are copied may be kept by their call.
      if (cuts == nullptr || axis != 0)
        cuts = std::make_shared<std::vector<RowsOfCall>>(values.size());
      Call& call = *batch_.calls[caller];
      for (std::size_t i = 0; i < values.size(); ++i) {
        parts[i] = (*cuts)[i].cut(values[i], axis, first[caller], call.rows);
      }
      call.done({Status(), parts, &frame_, axis == 0 ? nullptr : cuts});
    });
  }

  const Batch& batch_;
  const wire::DecodedValues& result_;
  const plugin::MethodSpec& method_;
  ResultFrame& frame_;
  Delivered delivered_;
};

}  // namespace

Result<Delivered> deliver_batch(const Batch& batch, const wire::DecodedValues& result,
                                const plugin::MethodSpec& method, ResultFrame& frame) {
  return Delivery(batch, result, method, frame).run();
}

Status check_part(const Call& call, std::span<const bento_value> values,
                  const plugin::MethodSpec& method) {
  const auto wrong = [](std::string what) { return Status(BENTO_INTERNAL, std::move(what)); };
  if (call.ahead.results >= kMostAhead.results || call.ahead.bytes >= kMostAhead.bytes) {
    return wrong("it has sent " + std::to_string(call.ahead.results) + " results, of " +
                 std::to_string(call.ahead.bytes) + " bytes, that its caller has not taken yet");
  }
  if (values.empty() || (plugin::are_named(method.outs) && values.size() != method.outs.size())) {
    return wrong("it has sent a result of " + std::to_string(values.size()) + " values");
  }
  for (const bento_value& value : values) {
    if (value.kind == 0) return wrong("it left a value out");
  }
  return {};
}

}  // namespace bentohost::runner
