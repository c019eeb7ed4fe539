#include <array>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstring>
#include <span>
#include <string_view>

#include "codec/half.h"
#include "codec/ndarray.h"

namespace bentohost::service {
namespace {

constexpr std::size_t kElementBytes = 32;  // "-2.2250738585072014e-308" and a comma fit
constexpr std::size_t kBufferBytes = 1024;
constexpr std::int64_t kMaxEmptyArrays = 1 << 20;
constexpr int kHalfDigits = 5;  // enough significant digits to tell any two halves apart

struct Half {
  std::uint16_t bits;
};
struct Bool {  // a C++ bool read from a plugin's byte 2 would be undefined behaviour
  std::uint8_t byte;
};

bool is_finite(Half half) { return (half.bits & 0x7c00) != 0x7c00; }
template <std::floating_point T>
bool is_finite(T value) {
  return std::isfinite(value);
}
template <typename T>
bool is_finite(T) {
  return true;
}

// to_chars writes 3.0 as "3", but a reader that infers types must see a float.
char* keep_fraction(char* first, char* last) {
  for (const char* p = first; p != last; ++p) {
    if (*p == '.' || *p == 'e') return last;
  }
  std::memcpy(last, ".0", 2);
  return last + 2;
}

// Each writes one element to a buffer of kElementBytes and returns the byte after it.
template <std::integral T>
char* write_element(char* p, T value) {
  return std::to_chars(p, p + kElementBytes, value).ptr;
}
template <std::floating_point T>
char* write_element(char* p, T value) {
  return keep_fraction(p, std::to_chars(p, p + kElementBytes, value).ptr);
}
char* write_element(char* p, Bool value) {
  const std::string_view text = value.byte != 0 ? "true" : "false";
  std::memcpy(p, text.data(), text.size());
  return p + text.size();
}
// The shortest decimal that rounds to this half, as in NumPy: 65500.0, not 65504.0.
char* write_element(char* p, Half half) {
  const double value = double_from_half(half.bits);
  double shortest = value;
  for (int digits = 1; digits <= kHalfDigits; ++digits) {
    char* const end =
        std::to_chars(p, p + kElementBytes, value, std::chars_format::scientific, digits - 1).ptr;
    double candidate = 0;
    std::from_chars(p, end, candidate);
    if (!fits_half(candidate) || half_from_double(candidate) != half.bits) continue;
    shortest = candidate;
    break;
  }
  return write_element(p, shortest);
}

// Writes a tensor's text through a small buffer, since appending each element to the string would
// cost more than formatting it.
template <typename T>
class Writer {
 public:
  Writer(const bento_tensor& tensor, std::string& out)
      : tensor_(tensor), data_(static_cast<const char*>(tensor.data.ptr)), out_(out) {}

  bool write() {
    const bool written = write_axis(0);
    flush();
    return written;
  }
  // After a false write(): the index of the element that JSON cannot express.
  std::int64_t offset() const { return offset_; }

 private:
  bool write_axis(std::uint32_t axis) {
    if (axis == tensor_.ndim) return write_one();
    put('[');
    for (std::int64_t i = 0; i < tensor_.shape[axis]; ++i) {
      if (i > 0) put(',');
      if (!write_axis(axis + 1)) return false;
    }
    put(']');
    return true;
  }

  bool write_one() {
    T value;
    std::memcpy(&value, data_ + static_cast<std::size_t>(offset_) * sizeof(T), sizeof(T));
    if (!is_finite(value)) return false;
    if (buffer_.data() + buffer_.size() < next_ + kElementBytes) flush();
    next_ = write_element(next_, value);
    ++offset_;
    return true;
  }

  void put(char c) {
    if (next_ == buffer_.data() + buffer_.size()) flush();
    *next_++ = c;
  }

  void flush() {
    out_.append(buffer_.data(), static_cast<std::size_t>(next_ - buffer_.data()));
    next_ = buffer_.data();
  }

  const bento_tensor& tensor_;
  const char* data_;
  std::string& out_;
  std::int64_t offset_ = 0;
  std::array<char, kBufferBytes> buffer_;
  char* next_ = buffer_.data();
};

std::string place_of(std::int64_t offset, const bento_tensor& tensor) {
  std::string place;
  for (std::uint32_t axis = tensor.ndim; axis-- > 0; offset /= tensor.shape[axis]) {
    place.insert(0, '[' + std::to_string(offset % tensor.shape[axis]) + ']');
  }
  return place;
}

template <typename T>
Status write_all(const bento_tensor& tensor, std::string& out) {
  const std::size_t before = out.size();
  Writer<T> writer(tensor, out);
  if (writer.write()) return {};
  out.resize(before);
  return Status(BENTO_INTERNAL,
                "not a finite number" +
                    (tensor.ndim > 0 ? " at " + place_of(writer.offset(), tensor) : "") +
                    ": JSON has no NaN and no infinity");
}

// How many innermost [] a tensor with an extent of 0 is written as.
std::int64_t empty_arrays(std::span<const std::int64_t> shape) {
  std::int64_t count = 1;
  for (std::size_t axis = 0; shape[axis] != 0; ++axis) count *= shape[axis];
  return count;
}

// A plugin's tensor may have any field values. None may make us read beyond its data, or write
// terabytes of empty brackets.
Status check(const bento_tensor& tensor) {
  if (wire::dtype_size(tensor.dtype) == 0) {
    return Status(BENTO_INTERNAL, "unknown dtype " + std::to_string(tensor.dtype));
  }
  if (tensor.ndim > wire::kMaxDims) {
    return Status(BENTO_INTERNAL, "a tensor of " + std::to_string(tensor.ndim) + " dimensions");
  }
  if (tensor.strides != nullptr) return Status(BENTO_INTERNAL, "a tensor that is not in C order");
  const std::span<const std::int64_t> shape = wire::shape_of(tensor);
  const std::int64_t bytes = wire::tensor_bytes(tensor.dtype, shape);
  if (bytes < 0 || static_cast<std::uint64_t>(bytes) != tensor.data.len) {
    return Status(BENTO_INTERNAL, "a tensor of shape " + wire::shape_text(shape) + " and dtype " +
                                      std::string(wire::dtype_name(tensor.dtype)) + " with " +
                                      std::to_string(tensor.data.len) + " bytes of data");
  }
  if (bytes == 0 && empty_arrays(shape) > kMaxEmptyArrays) {
    return Status(BENTO_INTERNAL, "an empty tensor of shape " + wire::shape_text(shape));
  }
  return {};
}

}  // namespace

Status write_ndarray(const bento_tensor& tensor, std::string& out) {
  if (Status status = check(tensor); !status.ok()) return status;
  switch (tensor.dtype) {
    case BENTO_BOOL:
      return write_all<Bool>(tensor, out);
    case BENTO_I8:
      return write_all<std::int8_t>(tensor, out);
    case BENTO_I16:
      return write_all<std::int16_t>(tensor, out);
    case BENTO_I32:
      return write_all<std::int32_t>(tensor, out);
    case BENTO_I64:
      return write_all<std::int64_t>(tensor, out);
    case BENTO_U8:
      return write_all<std::uint8_t>(tensor, out);
    case BENTO_U16:
      return write_all<std::uint16_t>(tensor, out);
    case BENTO_U32:
      return write_all<std::uint32_t>(tensor, out);
    case BENTO_U64:
      return write_all<std::uint64_t>(tensor, out);
    case BENTO_F16:
      return write_all<Half>(tensor, out);
    case BENTO_F32:
      return write_all<float>(tensor, out);
    default:
      return write_all<double>(tensor, out);  // check() has refused all others
  }
}

}  // namespace bentohost::service
