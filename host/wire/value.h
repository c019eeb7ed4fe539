// Value: one argument or result that the host owns (a tensor, JSON text or bytes), and the
// arithmetic of tensors that batching needs. The ABI's bento_value is used as the view of one.
// Values; any thread.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"

namespace bentohost::wire {

inline constexpr std::uint32_t kMaxDims = 32;                      // NumPy's limit before 2.0
inline constexpr std::uint64_t kMaxData = std::uint64_t{1} << 31;  // bytes of one value: 2 GiB
inline constexpr std::size_t kMaxLabel = 1u << 16;                 // bytes of a name or a MIME type

std::size_t dtype_size(std::uint32_t dtype);       // bytes; 0 for a number that is not a dtype
std::string_view dtype_name(std::uint32_t dtype);  // NumPy's "float64" and so on; "any" for 0
std::string shape_text(
    std::span<const std::int64_t> shape);  // "(2, 4)", "(3,)", "()"; -1 reads "n"
inline std::span<const std::int64_t> shape_of(const bento_tensor& t) { return {t.shape, t.ndim}; }

// Elements of a shape; -1 for a negative extent or an overflow of int64. As in NumPy, an extent of
// 0 does not excuse the others: (0, 2^62, 2^62) overflows, so that no product of some extents ever
// does.
std::int64_t element_count(std::span<const std::int64_t> shape);
// The same in bytes; -1 for what is not a dtype, too.
std::int64_t tensor_bytes(std::uint32_t dtype, std::span<const std::int64_t> shape);

struct Value {
  std::uint32_t kind = 0;  // BENTO_JSON, BENTO_BYTES, BENTO_TENSOR
  std::string name, mime;
  AlignedBuffer data;  // JSON text, raw bytes, or the tensor in C order, little-endian
  std::uint32_t dtype = 0;
  std::vector<std::int64_t> shape;

  // A view into this; it dies with it or with its next change.
  bento_value view() const;
  // An owned copy. Strided tensors become C order. Refuses what check_value() refuses, and what
  // there is no memory for.
  static Result<Value> copy(const bento_value& view);
};

// INVALID_ARGUMENT for what is not a value: an unknown kind or dtype, too many dimensions, a data
// length that is not that of the shape, strides that reach outside the data, anything beyond the
// limits above.
Status check_value(const bento_value& view);
// Writes the tensor's tensor_bytes() to `out` in C order, whatever its strides. A checked tensor
// only.
void copy_c_order(const bento_tensor& tensor, char* out);

// The extent of `axis`; INVALID_ARGUMENT when the value is no tensor or has no such axis.
Result<std::int64_t> rows_of(const bento_value& value, std::int32_t axis);
// Tensors joined along `axis`, named as the first. All must be tensors in C order (those of the
// host are) that agree in dtype and in every other extent, else INVALID_ARGUMENT.
Result<Value> concat(std::span<const bento_value> parts, std::int32_t axis);
// Rows [first, first + count) of `axis`, copied. Of a checked tensor in C order that has those
// rows.
Value slice(const bento_value& tensor, std::int32_t axis, std::int64_t first, std::int64_t count);

}  // namespace bentohost::wire
