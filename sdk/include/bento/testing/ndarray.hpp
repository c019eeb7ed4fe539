// Arrays as JSON: converts nested lists to tensors and back, by the host's rules. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/document.h>

#include <bento/error.hpp>
#include <bento/io.hpp>
#include <bento/testing/value.hpp>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento::testing::internal {

// Calls f(T()) with the C++ type T of the dtype; bool is bool. Throws if C++ has no such type.
template <typename F>
void with_dtype(std::uint32_t dtype, F&& f) {
  switch (dtype) {
    case BENTO_BOOL:
      return f(bool());
    case BENTO_I8:
      return f(std::int8_t());
    case BENTO_I16:
      return f(std::int16_t());
    case BENTO_I32:
      return f(std::int32_t());
    case BENTO_I64:
      return f(std::int64_t());
    case BENTO_U8:
      return f(std::uint8_t());
    case BENTO_U16:
      return f(std::uint16_t());
    case BENTO_U32:
      return f(std::uint32_t());
    case BENTO_U64:
      return f(std::uint64_t());
    case BENTO_F32:
      return f(float());
    case BENTO_F64:
      return f(double());
    default:
      throw Error(BENTO_UNIMPLEMENTED,
                  "bento::testing has no arrays of dtype " + std::to_string(dtype));
  }
}

// "(n, 4)"
inline std::string shape_text(std::span<const std::int64_t> shape) {
  std::string text = "(";
  for (std::size_t d = 0; d < shape.size(); ++d) {
    text += (d > 0 ? ", " : "") + (shape[d] < 0 ? std::string("n") : std::to_string(shape[d]));
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

inline bool fits_shape(std::span<const std::int64_t> shape, const bento_io& io) {
  if ((io.flags & BENTO_IO_ENFORCE_SHAPE) == 0) return true;
  if (shape.size() != io.ndim) return false;
  for (std::uint32_t d = 0; d < io.ndim; ++d) {
    if (io.shape[d] >= 0 && io.shape[d] != shape[d]) return false;
  }
  return true;
}

inline std::string dtype_name(std::uint32_t dtype) {
  static constexpr const char* kNames[] = {"any",     "bool",    "int8",   "int16",  "int32",
                                           "int64",   "uint8",   "uint16", "uint32", "uint64",
                                           "float16", "float32", "float64"};
  return dtype < std::size(kNames) ? kNames[dtype] : "any";
}

// The first of kind, dtype and shape in which the value differs from `io`: as declared, and as it
// is.
inline std::optional<std::pair<std::string, std::string>> difference(const bento_value& value,
                                                                     const bento_io& io) {
  const auto kind = [](std::uint32_t k) {
    return std::string(k == BENTO_TENSOR ? "a tensor" : k == BENTO_JSON ? "JSON" : "bytes");
  };
  if (value.kind != io.kind) return std::pair(kind(io.kind), kind(value.kind));
  if (value.kind != BENTO_TENSOR) return std::nullopt;
  const bool has_dtype = (io.flags & BENTO_IO_ENFORCE_DTYPE) != 0 && io.dtype != 0;
  if (has_dtype && io.dtype != value.tensor.dtype) {
    return std::pair(dtype_name(io.dtype), dtype_name(value.tensor.dtype));
  }
  const std::span<const std::int64_t> shape(value.tensor.shape, value.tensor.ndim);
  if (io.ndim == 0 || fits_shape(shape, io)) return std::nullopt;
  return std::pair("shape " + shape_text({io.shape, io.ndim}), shape_text(shape));
}

// Follows the host's rules and uses its messages, but quotes a number as it was parsed, not as it
// was written.
class NdarrayReader {
 public:
  // Throws Error, INVALID_ARGUMENT, if the JSON is not an array, or not as `io` requires.
  static void read(const rapidjson::Value& json, const bento_io& io, Value& out) {
    NdarrayReader reader(io);
    reader.dtype_ = io.dtype != 0 ? io.dtype : suggest_dtype(json);
    reader.collect(json);
    std::vector<std::int64_t> shape = reader.extents_;
    if (!shape.empty() && shape.back() == 0) add_missing_extents(io, shape);
    if (!fits_shape(shape, io)) {
      fail("expected an array of shape " + shape_text({io.shape, io.ndim}) + ", got " +
           shape_text(reader.extents_));
    }
    char* const to = out.set_tensor(reader.dtype_, shape);
    if (!reader.bytes_.empty()) std::memcpy(to, reader.bytes_.data(), reader.bytes_.size());
  }

 private:
  static constexpr std::size_t kMaxDims = 32;

  explicit NdarrayReader(const bento_io& io) : io_(io) {}

  [[noreturn]] static void fail(const std::string& what) {
    throw Error(BENTO_INVALID_ARGUMENT, what);
  }

  void collect(const rapidjson::Value& json) {
    if (json.IsArray()) return collect_array(json);
    if (!json.IsNumber() && !json.IsBool()) {
      fail("expected " + expected() + ", got " +
           (json.IsString()   ? "a string"
            : json.IsObject() ? "an object"
                              : "null") +
           at_place());
    }
    if (!ndim_) ndim_ = depth();
    if (depth() != *ndim_) fail_depth("a number", "an array");
    with_dtype(dtype_, [&]<typename T>(T) {
      const std::optional<T> number = as<T>(json);
      if (!number) fail("expected " + dtype_name(dtype_) + ", got " + text_of(json) + at_place());
      const char* const bytes = reinterpret_cast<const char*>(&*number);
      bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
    });
  }

  void collect_array(const rapidjson::Value& json) {
    if (depth() == kMaxDims) {
      fail("an array of more than " + std::to_string(kMaxDims) + " dimensions");
    }
    const std::size_t at = depth();
    if (ndim_ == at) {
      if (extents_[at - 1] != 0) fail_depth("an array", "a number");
      fail("ragged array: " + place(at - 1) + " has elements where " + origin(at - 1) +
           " has none");
    }
    if (extents_.size() == at) extents_.push_back(-1);
    index_.push_back(0);
    for (const rapidjson::Value& element : json.GetArray()) {
      collect(element);
      ++index_.back();
    }
    index_.pop_back();
    const auto n = static_cast<std::int64_t>(json.Size());
    if (extents_[at] < 0) {
      extents_[at] = n;
      if (n == 0) ndim_ = at + 1;
    } else if (extents_[at] != n) {
      fail("ragged array: " + place(at) + " has " + std::to_string(n) +
           (n == 1 ? " element" : " elements") + " where " + origin(at) + " has " +
           std::to_string(extents_[at]));
    }
  }

  [[noreturn]] void fail_depth(const char* is, const char* where) const {
    fail("ragged array: " + place(depth()) + " is " + is + " where " + origin(depth()) + " is " +
         where);
  }

  // The index, "[1][0]", of the current element at this depth; origin(): of the first one there.
  std::string place(std::size_t depth) const {
    std::string text;
    for (std::size_t d = 0; d < depth; ++d) text += '[' + std::to_string(index_[d]) + ']';
    return text;
  }
  static std::string origin(std::size_t depth) {
    std::string text;
    for (std::size_t d = 0; d < depth; ++d) text += "[0]";
    return text;
  }
  std::string at_place() const { return depth() == 0 ? "" : " at " + place(depth()); }
  std::size_t depth() const { return index_.size(); }

  // What is expected at the reader's position: inside an array an element, outside the whole.
  std::string expected() const {
    if (depth() > 0) return io_.dtype == 0 ? "a number" : dtype_name(io_.dtype);
    if ((io_.flags & BENTO_IO_ENFORCE_SHAPE) != 0) {
      return "an array of shape " + shape_text({io_.shape, io_.ndim});
    }
    return "an array of " + (io_.dtype == 0 ? "numbers" : dtype_name(io_.dtype));
  }

  static std::string text_of(const rapidjson::Value& json) {
    if (json.IsBool()) return json.GetBool() ? "true" : "false";
    if (json.IsUint64()) return std::to_string(json.GetUint64());
    if (json.IsInt64()) return std::to_string(json.GetInt64());
    char text[32];
    return {text, std::to_chars(text, text + sizeof text, json.GetDouble()).ptr};
  }

  // JSON cannot express the extents inside an empty array; the declaration can.
  static void add_missing_extents(const bento_io& io, std::vector<std::int64_t>& shape) {
    if ((io.flags & BENTO_IO_ENFORCE_SHAPE) == 0) return;
    for (std::size_t d = shape.size(); d < io.ndim; ++d) {
      shape.push_back(io.shape[d] < 0 ? 0 : io.shape[d]);
    }
  }

  // As in NumPy: float64 if there is a fraction or no element; bool if all are bool; else int64.
  static std::uint32_t suggest_dtype(const rapidjson::Value& json) {
    if (json.IsBool()) return BENTO_BOOL;
    if (json.IsDouble()) return BENTO_F64;
    if (json.IsNumber()) return BENTO_I64;
    if (!json.IsArray()) return BENTO_F64;
    bool has_integers = false, has_literals = false;
    for (const rapidjson::Value& element : json.GetArray()) {
      if (element.IsArray() && element.Empty()) continue;
      const std::uint32_t dtype = suggest_dtype(element);
      if (dtype == BENTO_F64) return BENTO_F64;
      has_integers |= dtype == BENTO_I64;
      has_literals |= dtype == BENTO_BOOL;
    }
    return has_integers ? BENTO_I64 : has_literals ? BENTO_BOOL : BENTO_F64;
  }

  // Loses nothing silently: 3.0 is an integer; 0.5 and numbers out of range are not.
  template <typename T>
  static std::optional<T> as(const rapidjson::Value& json) {
    if (json.IsBool()) return static_cast<T>(json.GetBool());
    if constexpr (std::is_floating_point_v<T>) {
      const T number = static_cast<T>(json.GetDouble());
      if (std::isfinite(number)) return number;
    } else {
      using Limits = std::numeric_limits<T>;
      if (json.IsUint64()) {
        if (json.GetUint64() <= static_cast<std::uint64_t>(Limits::max())) {
          return static_cast<T>(json.GetUint64());
        }
      } else if (json.IsInt64()) {
        if (json.GetInt64() >= static_cast<std::int64_t>(Limits::min())) {
          return static_cast<T>(json.GetInt64());
        }
      } else if (const double number = json.GetDouble();
                 number == std::floor(number) && number >= static_cast<double>(Limits::min()) &&
                 number < std::ldexp(1.0, Limits::digits)) {
        return static_cast<T>(number);
      }
    }
    return std::nullopt;
  }

  const bento_io& io_;
  std::uint32_t dtype_ = 0;
  std::optional<std::size_t> ndim_;    // from the first element or the first empty array on
  std::vector<std::int64_t> extents_;  // of the arrays at each depth; -1 until the first ends
  std::vector<std::int64_t> index_;    // of the current element, in each open array
  std::vector<char> bytes_;
};

// The shortest text that reads back the same; floats keep their ".0". Throws for NaN and infinity.
template <typename T>
void write_number(T number, std::string& out) {
  if constexpr (std::is_same_v<T, bool>) {
    out += number ? "true" : "false";
  } else {
    char text[32];
    const char* end = std::to_chars(text, text + sizeof text, number).ptr;
    const std::string_view digits(text, static_cast<std::size_t>(end - text));
    out += digits;
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(number)) {
        throw Error(BENTO_INTERNAL, "not a finite number: JSON has no NaN and no infinity");
      }
      if (digits.find_first_of(".e") == digits.npos) out += ".0";
    }
  }
}

template <typename T>
void write_axis(std::span<const std::int64_t> shape, const T*& next, std::string& out) {
  if (shape.empty()) return write_number(*next++, out);
  out += '[';
  for (std::int64_t i = 0; i < shape[0]; ++i) {
    if (i > 0) out += ',';
    write_axis(shape.subspan(1), next, out);
  }
  out += ']';
}

inline std::string write_ndarray(const bento_value& value) {
  std::string out;
  const bento_tensor& tensor = value.tensor;
  with_dtype(tensor.dtype, [&]<typename T>(T) {
    const T* next = static_cast<const T*>(tensor.data.ptr);
    write_axis(std::span<const std::int64_t>(tensor.shape, tensor.ndim), next, out);
  });
  return out;
}

}  // namespace bento::testing::internal
