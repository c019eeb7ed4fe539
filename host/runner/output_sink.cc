#include "runner/output_sink.h"

#include <algorithm>
#include <new>
#include <utility>

namespace bentohost::runner {
namespace {

constexpr std::size_t kMaxOutputs = 64;
constexpr std::int64_t kMaxOutputBytes = std::int64_t{1} << 30;

}  // namespace

OutputSink::OutputSink() {
  table_.owner = this;
  table_.sink.size = sizeof table_.sink;
  table_.sink.tensor = &OutputSink::tensor;
  table_.sink.value = &OutputSink::value;
  table_.sink.give = &OutputSink::give;
}

std::vector<bento_value> OutputSink::views() const {
  std::vector<bento_value> views;
  views.reserve(values_.size());
  for (const wire::Value& value : values_) views.push_back(value.view());
  return views;
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
  if (self.values_.size() >= kMaxOutputs) {
    (void)Status(BENTO_INVALID_ARGUMENT, "more than 64 outputs").as_misuse().give(error);
    return nullptr;
  }
  try {
    wire::Value value;
    value.kind = BENTO_TENSOR;
    value.name = to_view(name);
    value.dtype = dtype;
    value.shape.assign(shape, shape + ndim);
    // Reserve at least one byte: data() must not be null, which means an error.
    value.data.reserve(std::max<std::size_t>(1, static_cast<std::size_t>(count) * item));
    value.data.resize(static_cast<std::size_t>(count) * item);
    return self.values_.emplace_back(std::move(value)).data.data();
  } catch (const std::bad_alloc&) {
    (void)Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory").give(error);
    return nullptr;
  }
}

bento_code OutputSink::value(bento_sink* sink, const bento_value* copied, bento_error* error) {
  OutputSink& self = *reinterpret_cast<Table*>(sink)->owner;
  if (self.values_.size() >= kMaxOutputs) {
    return Status(BENTO_INVALID_ARGUMENT, "more than 64 outputs").as_misuse().give(error);
  }
  auto value = wire::Value::copy(*copied);
  if (!value.ok()) return std::move(value).take_status().as_misuse().give(error);
  self.values_.push_back(*std::move(value));
  return BENTO_OK;
}

bento_code OutputSink::give(bento_sink* sink, const bento_value* value, void* owner,
                            void (*release)(void* owner), bento_error* error) {
  const bento_code code = OutputSink::value(sink, value, error);
  if (release != nullptr) release(owner);
  return code;
}

}  // namespace bentohost::runner
