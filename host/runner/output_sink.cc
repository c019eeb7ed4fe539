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

OutputSink::OutputSink(OutputMemory* memory) : memory_(memory) {
  table_.owner = this;
  table_.sink.size = sizeof table_.sink;
  table_.sink.tensor = &OutputSink::tensor;
  table_.sink.value = &OutputSink::value;
  table_.sink.give = &OutputSink::give;
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

void OutputSink::hand_over_arenas() {
  for (Output& output : outputs_) output.is_handed_over = true;
}

void OutputSink::clear() {
  for (const Output& output : outputs_) {
    if (output.block.arena != 0 && !output.is_handed_over) memory_->put_back(output.block.arena);
    if (output.release != nullptr) output.release(output.owner);
  }
  outputs_.clear();
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
  if (self.outputs_.size() >= kMaxOutputs) {
    (void)Status(BENTO_INVALID_ARGUMENT, "more than 64 outputs").as_misuse().give(error);
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
  if (self.outputs_.size() >= kMaxOutputs) {
    return Status(BENTO_INVALID_ARGUMENT, "more than 64 outputs").as_misuse().give(error);
  }
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
  const bool is_kept = release != nullptr && self.outputs_.size() < kMaxOutputs &&
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
