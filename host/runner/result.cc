#include "runner/result.h"

#include <cstring>
#include <functional>
#include <new>
#include <string_view>
#include <utility>

#include "wire/value.h"

namespace bentohost::runner {
const std::shared_ptr<ResultFrame::Memory>& ResultFrame::keep() {
  if (memory_ != nullptr) return memory_;
  auto memory = std::make_shared<Memory>();
  memory->bytes = reader_.take_memory(frame_);
  kept_body_ = frame_.body.data();
  if (memory->bytes.empty() && !frame_.body.empty()) {
    memory->bytes.assign(frame_.body.begin(), frame_.body.end());
    kept_body_ = memory->bytes.data();
  }
  memory->claims = claims_;
  memory_ = std::move(memory);
  return memory_;
}

bool ResultFrame::has(const void* at) const {
  const std::less_equal<const void*> up_to;
  return up_to(frame_.body.data(), at) && up_to(at, frame_.body.data() + frame_.body.size());
}

Result<KeptResult> CallResult::keep() const {
  if (!status.ok()) return status;
  try {
    KeptResult kept;
    if (frame != nullptr && owner == nullptr) {
      keep_of_frame(kept);
    } else if (owner != nullptr) {
      kept.values_.assign(values.begin(), values.end());
      kept.memory_ = owner;
    } else if (Status copied = keep_copies(kept); !copied.ok()) {
      return copied;
    }
    return kept;
  } catch (const std::bad_alloc&) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  }
}

// Names, types and data are in the frame or in arenas; the shapes of a part of a batch are not.
void CallResult::keep_of_frame(KeptResult& kept) const {
  kept.memory_ = frame->keep();
  kept.values_.assign(values.begin(), values.end());
  std::size_t dims = 0;
  for (const bento_value& value : values) {
    if (value.kind == BENTO_TENSOR && !frame->has(value.tensor.shape)) dims += value.tensor.ndim;
  }
  kept.shapes_.reserve(dims);  // so that they do not move
  const auto moved = [this]<typename T>(const T* at) {
    if (!frame->has(at)) return at;
    const auto* const old = reinterpret_cast<const char*>(at);
    return reinterpret_cast<const T*>(frame->kept_body_ + (old - frame->frame_.body.data()));
  };
  for (bento_value& value : kept.values_) {
    value.name.ptr = moved(value.name.ptr);
    value.mime.ptr = moved(value.mime.ptr);
    if (value.kind != BENTO_TENSOR) {
      value.bytes.ptr = moved(static_cast<const char*>(value.bytes.ptr));
      continue;
    }
    bento_tensor& tensor = value.tensor;
    tensor.data.ptr = moved(static_cast<const char*>(tensor.data.ptr));
    if (frame->has(tensor.shape)) {
      tensor.shape = moved(tensor.shape);
    } else {
      const std::int64_t* const own = kept.shapes_.data() + kept.shapes_.size();
      kept.shapes_.insert(kept.shapes_.end(), tensor.shape, tensor.shape + tensor.ndim);
      tensor.shape = own;
    }
  }
}

Status CallResult::keep_copies(KeptResult& kept) const {
  auto copies = std::make_shared<std::vector<wire::Value>>();
  copies->reserve(values.size());
  for (const bento_value& value : values) {
    auto copy = wire::Value::copy(value);
    if (!copy.ok()) return std::move(copy).take_status();
    copies->push_back(*std::move(copy));
  }
  for (const wire::Value& copy : *copies) kept.values_.push_back(copy.view());
  kept.memory_ = std::move(copies);
  return {};
}

}  // namespace bentohost::runner
