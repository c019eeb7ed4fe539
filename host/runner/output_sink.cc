#include "runner/output_sink.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

namespace bentohost::runner {
namespace {

constexpr std::size_t kMaxOutputs = 64;
constexpr std::int64_t kMaxOutputBytes = std::int64_t{1} << 30;

}  // namespace

OutputSink::OutputSink(OutputMemory* memory) : memory_(memory), most_(kMaxOutputs) {
  table_.owner = this;
  table_.sink.size = sizeof table_.sink;
  table_.sink.tensor = &OutputSink::tensor;
  table_.sink.value = &OutputSink::value;
  table_.sink.give = &OutputSink::give;
  table_.sink.fail = &OutputSink::fail;
}

void OutputSink::begin_batch(std::size_t callers, std::size_t most) {
  callers_ = callers;
  most_ = most;
}

bento_value OutputSink::Output::view() const {
  bento_value view = value.view();
  bento_bytes& data = view.kind == BENTO_TENSOR ? view.tensor.data : view.bytes;
  if (given.ptr != nullptr) data = given;
  if (block.arena != 0) data = {block.data, block_bytes};
  return view;
}

std::vector<bento_value> OutputSink::views() const {
  std::vector<bento_value> views;
  views.reserve(outputs_.size());
  for (const Output& output : outputs_) views.push_back(output.view());
  return views;
}

void OutputSink::move_to_arena(std::size_t index) {
  Output& output = outputs_[index];
  if (memory_ == nullptr || output.block.arena != 0 || output.value.kind == BENTO_JSON) return;
  const bento_value view = output.view();
  const bento_bytes& data = view.kind == BENTO_TENSOR ? view.tensor.data : view.bytes;
  const OutputMemory::Block block = memory_->take(data.len);
  if (block.arena == 0) return;
  std::memcpy(block.data, data.ptr, data.len);
  output.block = block;
  output.block_bytes = data.len;
}

void OutputSink::clear() {
  for (const Output& output : outputs_) {
    if (output.block.arena != 0 && !output.is_handed_over) memory_->put_back(output.block.arena);
    if (output.release != nullptr) output.release(output.owner);
  }
  outputs_.clear();
  failed_.clear();
  begin_batch(0, kMaxOutputs);
}

Status OutputSink::check_room() const {
  if (outputs_.size() < most_) return {};
  return Status(BENTO_INVALID_ARGUMENT, "more than " + std::to_string(most_) + " outputs")
      .as_misuse();
}

void* OutputSink::tensor(bento_sink* sink, bento_str name, std::uint32_t dtype, std::uint32_t ndim,
                         const std::int64_t* shape, bento_error* error) {
  OutputSink& self = *reinterpret_cast<Table*>(sink)->owner;
  const std::size_t item = wire::dtype_size(dtype);
  const std::int64_t count = ndim <= wire::kMaxDims ? wire::element_count({shape, ndim}) : -1;
  if (item == 0 || count < 0 || count > kMaxOutputBytes / static_cast<std::int64_t>(item)) {
    (void)Status(BENTO_INVALID_ARGUMENT, "output tensor: bad dtype or shape, or over 1 GiB")
        .as_misuse()
        .give(error);
    return nullptr;
  }
  if (Status status = self.check_room(); !status.ok()) {
    (void)status.give(error);
    return nullptr;
  }
  try {
    Output output;
    wire::Value& value = output.value;
    value.kind = BENTO_TENSOR;
    value.name = to_view(name);
    value.dtype = dtype;
    value.shape.assign(shape, shape + ndim);
    const std::size_t bytes = static_cast<std::size_t>(count) * item;
    Output& kept = self.outputs_.emplace_back(std::move(output));
    if (self.memory_ != nullptr) kept.block = self.memory_->take(bytes);
    kept.block_bytes = bytes;
    if (kept.block.arena != 0) return kept.block.data;
    try {
      // Reserve at least one byte: data() must not be null, which means an error.
      kept.value.data.reserve(std::max<std::size_t>(1, bytes));
      kept.value.data.resize(bytes);
    } catch (...) {
      self.outputs_.pop_back();
      throw;
    }
    return kept.value.data.data();
  } catch (const std::bad_alloc&) {
    (void)Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory").give(error);
    return nullptr;
  }
}

bento_code OutputSink::value(bento_sink* sink, const bento_value* copied, bento_error* error) {
  OutputSink& self = *reinterpret_cast<Table*>(sink)->owner;
  if (Status status = self.check_room(); !status.ok()) return status.give(error);
  auto value = wire::Value::copy(*copied);
  if (!value.ok()) return std::move(value).take_status().as_misuse().give(error);
  return answer_plugin(error, [&] {
    self.outputs_.emplace_back().value = *std::move(value);
    return Status();
  });
}

// What is not in C order is copied, and so is JSON: it must not change once it has been checked.
bento_code OutputSink::give(bento_sink* sink, const bento_value* value, void* owner,
                            void (*release)(void* owner), bento_error* error) {
  OutputSink& self = *reinterpret_cast<Table*>(sink)->owner;
  const bool is_kept = release != nullptr && self.check_room().ok() &&
                       wire::check_value(*value).ok() && value->kind != BENTO_JSON &&
                       (value->kind != BENTO_TENSOR || value->tensor.strides == nullptr);
  if (is_kept) {
    const bento_code code = answer_plugin(error, [&] { return self.keep(*value, owner, release); });
    if (code != BENTO_OK) release(owner);
    return code;
  }
  const bento_code code = OutputSink::value(sink, value, error);
  if (release != nullptr) release(owner);
  return code;
}

bento_code OutputSink::fail(bento_sink* sink, std::size_t caller, const bento_error* why,
                            bento_error* error) {
  OutputSink& self = *reinterpret_cast<Table*>(sink)->owner;
  return answer_plugin(error, [&]() -> Status {
    if (caller >= self.callers_) {
      return Status(BENTO_INVALID_ARGUMENT,
                    self.callers_ == 0
                        ? "fail: only a batch has callers that may fail by themselves"
                        : "fail: there is no caller " + std::to_string(caller) +
                              " in this batch of " + std::to_string(self.callers_))
          .as_misuse();
    }
    if (why == nullptr || why->code == BENTO_OK) {
      return Status(BENTO_INVALID_ARGUMENT, "fail: it has no error").as_misuse();
    }
    self.fail(static_cast<std::uint32_t>(caller), Status::from_plugin(why->code, *why));
    return {};
  });
}

Status OutputSink::keep(const bento_value& value, void* owner, void (*release)(void* owner)) {
  Output output;
  output.value.kind = value.kind;
  output.value.name = to_view(value.name);
  output.value.mime = to_view(value.mime);
  if (value.kind == BENTO_TENSOR) {
    const std::span<const std::int64_t> shape = wire::shape_of(value.tensor);
    output.value.dtype = value.tensor.dtype;
    output.value.shape.assign(shape.begin(), shape.end());
  }
  output.given = value.kind == BENTO_TENSOR ? value.tensor.data : value.bytes;
  outputs_.push_back(std::move(output));
  outputs_.back().owner = owner;
  outputs_.back().release = release;
  return {};
}

}  // namespace bentohost::runner
