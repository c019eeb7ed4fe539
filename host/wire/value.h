// Value: one argument or result that the host owns (a tensor, JSON text or bytes), and the
// arithmetic of tensors that batching needs. The ABI's bento_value serves as a view of a Value.
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

std::size_t dtype_size(std::uint32_t dtype);       // bytes; 0 if it is not a dtype
std::string_view dtype_name(std::uint32_t dtype);  // NumPy's "float64" and so on; "any" for 0
std::string shape_text(
    std::span<const std::int64_t> shape);  // "(2, 4)", "(3,)", "()"; -1 reads "n"
inline std::span<const std::int64_t> shape_of(const bento_tensor& t) { return {t.shape, t.ndim}; }

// The number of elements in a shape; -1 for a negative extent or an overflow of int64. As in NumPy,
// an extent of 0 does not hide an overflow: (0, 2^62, 2^62) is -1, so that no product of some
// extents of a valid shape overflows.
std::int64_t element_count(std::span<const std::int64_t> shape);
// The same in bytes; -1 also for an unknown dtype.
std::int64_t tensor_bytes(std::uint32_t dtype, std::span<const std::int64_t> shape);

struct Value {
  std::uint32_t kind = 0;  // BENTO_JSON, BENTO_BYTES, BENTO_TENSOR
  std::string name, mime;
  AlignedBuffer data;  // JSON text, raw bytes, or the tensor in C order, little-endian
  std::uint32_t dtype = 0;
  std::vector<std::int64_t> shape;

  // A view into this Value, valid until the Value changes or dies.
  bento_value view() const;
  // An owned copy. Strided tensors become C order. Fails as check_value() does, or if memory runs
  // out.
  static Result<Value> copy(const bento_value& view);
};

// INVALID_ARGUMENT for a malformed value: an unknown kind or dtype, too many dimensions, a data
// length that does not match the shape, strides that reach outside the data, anything beyond the
// limits above.
Status check_value(const bento_value& view);
// Writes the tensor's tensor_bytes() to `out` in C order, whatever its strides. The tensor must be
// checked.
void copy_c_order(const bento_tensor& tensor, char* out);

// The extent of `axis`. INVALID_ARGUMENT if the value is not a tensor or lacks that axis.
Result<std::int64_t> rows_of(const bento_value& value, std::int32_t axis);
// Joins tensors along `axis`; the result has the first one's name. INVALID_ARGUMENT unless all are
// tensors in C order (the host's are) with the same dtype and the same other extents.
Result<Value> concat(std::span<const bento_value> parts, std::int32_t axis);
// A copy of rows [first, first + count) of `axis`. The tensor must be checked, in C order, and have
// those rows.
Value slice(const bento_value& tensor, std::int32_t axis, std::int64_t first, std::int64_t count);

}  // namespace bentohost::wire
