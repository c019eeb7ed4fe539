// The arithmetic of tensors that value.h declares: strided to C order, concat, slice.
#include <array>
#include <cassert>
#include <cstring>
#include <new>

#include "wire/value.h"

namespace bentohost::wire {
namespace {

Status invalid(std::string message) { return {BENTO_INVALID_ARGUMENT, std::move(message)}; }

// One axis of a strided tensor; the stride in bytes.
struct Axis {
  std::int64_t extent, stride;
};

// The axes from the outermost, without those of extent 1. Neighbours that one stride covers are
// joined, so that a tensor with a few strided axes is copied in its longest runs.
std::size_t joined_axes(const bento_tensor& tensor, std::array<Axis, kMaxDims>& axes) {
  const auto size = static_cast<std::int64_t>(dtype_size(tensor.dtype));
  std::size_t n = 0;
  for (std::uint32_t i = 0; i < tensor.ndim; ++i) {
    if (tensor.shape[i] == 1) continue;
    const Axis axis{tensor.shape[i], tensor.strides[i] * size};
    if (n > 0 && axes[n - 1].stride == axis.extent * axis.stride) {
      axes[n - 1] = {axes[n - 1].extent * axis.extent, axis.stride};
    } else {
      axes[n++] = axis;
    }
  }
  return n;
}

template <std::size_t kSize>
char* copy_elements(const char* from, Axis axis, char* out) {
  for (std::int64_t i = 0; i < axis.extent; ++i, from += axis.stride, out += kSize) {
    std::memcpy(out, from, kSize);
  }
  return out;
}

char* copy_innermost(const char* from, Axis axis, std::size_t size, char* out) {
  if (axis.stride == static_cast<std::int64_t>(size)) {
    const std::size_t length = static_cast<std::size_t>(axis.extent) * size;
    std::memcpy(out, from, length);
    return out + length;
  }
  switch (size) {
    case 1:
      return copy_elements<1>(from, axis, out);
    case 2:
      return copy_elements<2>(from, axis, out);
    case 4:
      return copy_elements<4>(from, axis, out);
    default:
      return copy_elements<8>(from, axis, out);
  }
}

char* copy_axes(const char* from, std::span<const Axis> axes, std::size_t size, char* out) {
  if (axes.size() == 1) return copy_innermost(from, axes.front(), size, out);
  for (std::int64_t i = 0; i < axes.front().extent; ++i) {
    out = copy_axes(from + i * axes.front().stride, axes.subspan(1), size, out);
  }
  return out;
}

// A tensor in C order as batching sees it: `outer` blocks of the axis's rows, `row` bytes each.
struct Blocks {
  std::int64_t outer;
  std::size_t row;
};

Blocks blocks_of(std::uint32_t dtype, std::span<const std::int64_t> shape, std::int32_t axis) {
  const auto at = static_cast<std::size_t>(axis);
  return {element_count(shape.first(at)),
          static_cast<std::size_t>(tensor_bytes(dtype, shape.subspan(at + 1)))};
}

bool has_axis(const bento_value& value, std::int32_t axis) {
  return value.kind == BENTO_TENSOR && axis >= 0 &&
         static_cast<std::uint32_t>(axis) < value.tensor.ndim;
}

// Whether `a` and `b` may be joined along an axis that `a` has.
bool agree(const bento_tensor& a, const bento_tensor& b, std::int32_t axis) {
  if (a.dtype != b.dtype || a.ndim != b.ndim) return false;
  for (std::uint32_t i = 0; i < a.ndim; ++i) {
    if (i != static_cast<std::uint32_t>(axis) && a.shape[i] != b.shape[i]) return false;
  }
  return true;
}

// Adds the rows of `part` to the shape of `joined`.
Status join(const bento_value& part, const bento_value& first, std::int32_t axis, Value& joined) {
  if (Status status = check_value(part); !status.ok()) return status;
  if (part.kind != BENTO_TENSOR) return invalid("only tensors can be joined");
  if (part.tensor.strides != nullptr) return invalid("a strided tensor cannot be joined");
  if (!agree(first.tensor, part.tensor, axis)) {
    return invalid("cannot join " + std::string(dtype_name(part.tensor.dtype)) + " of shape " +
                   shape_text(shape_of(part.tensor)) + " to " +
                   std::string(dtype_name(first.tensor.dtype)) + " of shape " +
                   shape_text(shape_of(first.tensor)) + " along axis " + std::to_string(axis));
  }
  std::int64_t& rows = joined.shape[static_cast<std::size_t>(axis)];
  if (__builtin_add_overflow(rows, part.tensor.shape[axis], &rows)) {
    return invalid("the joined tensor has too many rows");
  }
  return {};
}

Value like(const bento_value& tensor) {
  Value value;
  value.kind = BENTO_TENSOR;
  value.name = to_view(tensor.name);
  value.mime = to_view(tensor.mime);
  value.dtype = tensor.tensor.dtype;
  const std::span<const std::int64_t> shape = shape_of(tensor.tensor);
  value.shape.assign(shape.begin(), shape.end());
  return value;
}

}  // namespace

void copy_c_order(const bento_tensor& tensor, char* out) {
  const std::int64_t bytes = tensor_bytes(tensor.dtype, shape_of(tensor));
  if (bytes <= 0) return;
  const auto* from = static_cast<const char*>(tensor.data.ptr);
  std::array<Axis, kMaxDims> axes;
  const std::size_t n = tensor.strides == nullptr ? 0 : joined_axes(tensor, axes);
  if (n == 0) {
    std::memcpy(out, from, static_cast<std::size_t>(bytes));
  } else {
    copy_axes(from, std::span(axes).first(n), dtype_size(tensor.dtype), out);
  }
}

Result<std::int64_t> rows_of(const bento_value& value, std::int32_t axis) {
  if (value.kind != BENTO_TENSOR) return invalid("a tensor is needed");
  if (has_axis(value, axis)) return value.tensor.shape[axis];
  return invalid("an array of shape " + shape_text(shape_of(value.tensor)) + " has no axis " +
                 std::to_string(axis) + ", and so no rows for a batch");
}

Result<Value> concat(std::span<const bento_value> parts, std::int32_t axis) {
  if (parts.empty()) return invalid("nothing to join");
  const bento_value& first = parts.front();
  if (Status status = check_value(first); !status.ok()) return status;
  if (Result<std::int64_t> rows = rows_of(first, axis); !rows.ok()) return rows.status();

  Value joined = like(first);
  joined.shape[static_cast<std::size_t>(axis)] = 0;
  for (const bento_value& part : parts) {
    if (Status status = join(part, first, axis, joined); !status.ok()) return status;
  }
  const std::int64_t bytes = tensor_bytes(joined.dtype, joined.shape);
  if (bytes < 0 || static_cast<std::uint64_t>(bytes) > kMaxData) {
    return invalid("the joined tensor would be of shape " + shape_text(joined.shape));
  }
  if (bytes == 0) return joined;  // the outer extents may be huge: do not loop over them

  try {
    joined.data.resize(static_cast<std::size_t>(bytes));
  } catch (const std::bad_alloc&) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, "out of memory");
  }
  const Blocks blocks = blocks_of(joined.dtype, joined.shape, axis);
  char* out = joined.data.data();
  for (std::int64_t block = 0; block < blocks.outer; ++block) {
    for (const bento_value& part : parts) {
      const std::size_t length = static_cast<std::size_t>(part.tensor.shape[axis]) * blocks.row;
      if (length == 0) continue;
      const auto* from = static_cast<const char*>(part.tensor.data.ptr);
      std::memcpy(out, from + static_cast<std::size_t>(block) * length, length);
      out += length;
    }
  }
  return joined;
}

Value slice(const bento_value& tensor, std::int32_t axis, std::int64_t first, std::int64_t count) {
  assert(has_axis(tensor, axis) && tensor.tensor.strides == nullptr);
  const std::int64_t rows = tensor.tensor.shape[axis];
  assert(first >= 0 && count >= 0 && first <= rows && count <= rows - first);

  Value part = like(tensor);
  part.shape[static_cast<std::size_t>(axis)] = count;
  const std::int64_t bytes = tensor_bytes(part.dtype, part.shape);
  if (bytes <= 0) return part;

  part.data.resize(static_cast<std::size_t>(bytes));
  const Blocks blocks = blocks_of(part.dtype, part.shape, axis);
  const std::size_t length = static_cast<std::size_t>(count) * blocks.row;
  const std::size_t stride = static_cast<std::size_t>(rows) * blocks.row;
  const char* from = static_cast<const char*>(tensor.tensor.data.ptr) +
                     static_cast<std::size_t>(first) * blocks.row;
  char* out = part.data.data();
  for (std::int64_t block = 0; block < blocks.outer; ++block, from += stride, out += length) {
    std::memcpy(out, from, length);
  }
  return part;
}

}  // namespace bentohost::wire
