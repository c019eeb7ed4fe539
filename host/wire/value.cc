#include "wire/value.h"

#include <bit>
#include <cstring>
#include <new>

namespace bentohost::wire {
namespace {

static_assert(std::endian::native == std::endian::little, "tensor data is little-endian");

struct Dtype {
  std::string_view name;
  std::size_t size;
};
constexpr Dtype kDtypes[] = {
    {"any", 0},     {"bool", 1},    {"int8", 1},    {"int16", 2},  {"int32", 4},
    {"int64", 8},   {"uint8", 1},   {"uint16", 2},  {"uint32", 4}, {"uint64", 8},
    {"float16", 2}, {"float32", 4}, {"float64", 8},
};
static_assert(std::size(kDtypes) == BENTO_F64 + 1);

Status invalid(std::string message) { return {BENTO_INVALID_ARGUMENT, std::move(message)}; }

// `unit` times all nonzero extents, or 0 if an extent is 0; -1 as in element_count().
std::int64_t checked_product(std::int64_t unit, std::span<const std::int64_t> shape) {
  std::int64_t product = unit;
  bool empty = false;
  for (const std::int64_t extent : shape) {
    if (extent < 0) return -1;
    if (extent == 0) {
      empty = true;
    } else if (__builtin_mul_overflow(product, extent, &product)) {
      return -1;
    }
  }
  return empty ? 0 : product;
}

// Whether every element is inside the data. Negative strides reach before it.
bool strides_stay_inside(const bento_tensor& tensor) {
  std::int64_t last = 0;
  for (std::uint32_t i = 0; i < tensor.ndim; ++i) {
    if (tensor.shape[i] == 0) return true;
    if (tensor.shape[i] == 1) continue;
    std::int64_t reach = 0;
    if (tensor.strides[i] < 0 ||
        __builtin_mul_overflow(tensor.shape[i] - 1, tensor.strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return false;
    }
  }
  return static_cast<std::uint64_t>(last) < tensor.data.len / dtype_size(tensor.dtype);
}

std::string tensor_text(const bento_tensor& tensor) {
  return std::string(dtype_name(tensor.dtype)) + " of shape " + shape_text(shape_of(tensor));
}

Status check_tensor(const bento_tensor& tensor) {
  if (dtype_size(tensor.dtype) == 0)
    return invalid("unknown dtype " + std::to_string(tensor.dtype));
  if (tensor.ndim > kMaxDims) {
    return invalid("a tensor of " + std::to_string(tensor.ndim) + " dimensions; the limit is " +
                   std::to_string(kMaxDims));
  }
  if (tensor.ndim > 0 && tensor.shape == nullptr) return invalid("a tensor without a shape");
  const std::int64_t bytes = tensor_bytes(tensor.dtype, shape_of(tensor));
  if (bytes < 0 || static_cast<std::uint64_t>(bytes) > kMaxData) {
    return invalid("no tensor can be " + tensor_text(tensor));
  }
  if (tensor.strides != nullptr) {
    if (strides_stay_inside(tensor)) return {};
    return invalid("the strides of " + tensor_text(tensor) + " reach outside its data");
  }
  if (static_cast<std::uint64_t>(bytes) != tensor.data.len) {
    return invalid(std::to_string(tensor.data.len) + " bytes of data for " + tensor_text(tensor) +
                   ", which has " + std::to_string(bytes));
  }
  return {};
}

Status check_label(const char* what, bento_str label) {
  if (label.len <= kMaxLabel) return {};
  return invalid(std::string("a ") + what + " of " + std::to_string(label.len) + " bytes");
}

}  // namespace

std::size_t dtype_size(std::uint32_t dtype) {
  return dtype < std::size(kDtypes) ? kDtypes[dtype].size : 0;
}

std::string_view dtype_name(std::uint32_t dtype) {
  return dtype < std::size(kDtypes) ? kDtypes[dtype].name : "unknown";
}

std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) text += ", ";
    text += shape[i] == -1 ? "n" : std::to_string(shape[i]);
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

std::int64_t element_count(std::span<const std::int64_t> shape) {
  return checked_product(1, shape);
}

std::int64_t tensor_bytes(std::uint32_t dtype, std::span<const std::int64_t> shape) {
  const std::size_t size = dtype_size(dtype);
  return size == 0 ? -1 : checked_product(static_cast<std::int64_t>(size), shape);
}

Status check_value(const bento_value& view) {
  if (Status status = check_label("name", view.name); !status.ok()) return status;
  if (Status status = check_label("MIME type", view.mime); !status.ok()) return status;
  const bool is_tensor = view.kind == BENTO_TENSOR;
  if (!is_tensor && view.kind != BENTO_JSON && view.kind != BENTO_BYTES) {
    return invalid("a value of unknown kind " + std::to_string(view.kind));
  }
  const bento_bytes& data = is_tensor ? view.tensor.data : view.bytes;
  if (data.len > kMaxData) return invalid("a value of " + std::to_string(data.len) + " bytes");
  if (data.len > 0 && data.ptr == nullptr) return invalid("a value without its data");
  return is_tensor ? check_tensor(view.tensor) : Status();
}

bento_value Value::view() const {
  bento_value view{};
  view.size = sizeof view;
  view.kind = kind;
  view.name = to_bento(name);
  view.mime = to_bento(mime);
  if (kind == BENTO_TENSOR) {
    const auto ndim = static_cast<std::uint32_t>(shape.size());
    view.tensor = {dtype, ndim, shape.data(), nullptr, {data.data(), data.size()}};
  } else {
    view.bytes = {data.data(), data.size()};
  }
  return view;
}

namespace {

Value copy_checked(const bento_value& view) {
  Value copy;
  copy.kind = view.kind;
  copy.name = to_view(view.name);
  copy.mime = to_view(view.mime);
  if (view.kind == BENTO_TENSOR) {
    const std::span<const std::int64_t> shape = shape_of(view.tensor);
    copy.dtype = view.tensor.dtype;
    copy.shape.assign(shape.begin(), shape.end());
    copy.data.resize(static_cast<std::size_t>(tensor_bytes(copy.dtype, shape)));
    copy_c_order(view.tensor, copy.data.data());
  } else if (view.bytes.len > 0) {
    copy.data.resize(view.bytes.len);
    std::memcpy(copy.data.data(), view.bytes.ptr, view.bytes.len);
  }
  return copy;
}

}  // namespace

Result<Value> Value::copy(const bento_value& view) {
  if (Status status = check_value(view); !status.ok()) return status;
  try {
    return copy_checked(view);
  } catch (const std::bad_alloc&) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  }
}

}  // namespace bentohost::wire
