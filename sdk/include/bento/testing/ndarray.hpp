// Arrays as JSON: nested lists to tensors and back, by the host's rules. Part of
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

// f(T()) for the dtype's T; bool is bool. Throws for those that C++ has no type for.
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

// Of kind, dtype and shape the first in which a value is not as described: what was declared, and
// what it is.
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

class NdarrayReader {
 public:
  // Throws Error, INVALID_ARGUMENT, for what is no array, or not as `io` demands it.
  static void read(const rapidjson::Value& json, const bento_io& io, Value& out) {
    NdarrayReader reader;
    reader.collect(json, 0);
    std::vector<std::int64_t> shape = reader.shape_;
    if (!shape.empty() && shape.back() == 0) add_missing_extents(io, shape);
    if (!fits_shape(shape, io)) {
      throw Error(BENTO_INVALID_ARGUMENT, "expected an array of shape " +
                                              shape_text({io.shape, io.ndim}) + ", got " +
                                              shape_text(reader.shape_));
    }
    const std::uint32_t dtype = io.dtype != 0 ? io.dtype : reader.suggest_dtype();
    char* to = out.set_tensor(dtype, shape);
    with_dtype(dtype, [&]<typename T>(T) {
      for (const rapidjson::Value* element : reader.elements_) {
        const T number = as<T>(*element);
        std::memcpy(to, &number, sizeof number);
        to += sizeof number;
      }
    });
  }

 private:
  void collect(const rapidjson::Value& json, std::size_t depth) {
    if (!json.IsArray()) {
      if (!json.IsNumber() && !json.IsBool()) {
        throw Error(BENTO_INVALID_ARGUMENT, "expected an array of numbers, got something else");
      }
      if (depth != shape_.size()) throw Error(BENTO_INVALID_ARGUMENT, "ragged array");
      elements_.push_back(&json);
      is_shape_known_ = true;
      return;
    }
    const auto extent = static_cast<std::int64_t>(json.Size());
    if (depth == shape_.size() && !is_shape_known_) {
      shape_.push_back(extent);
    } else if (depth >= shape_.size() || shape_[depth] != extent) {
      throw Error(BENTO_INVALID_ARGUMENT, "ragged array");
    }
    if (extent == 0) is_shape_known_ = true;
    for (const rapidjson::Value& element : json.GetArray()) collect(element, depth + 1);
  }

  // JSON cannot show the extents inside of an empty array; the declaration can.
  static void add_missing_extents(const bento_io& io, std::vector<std::int64_t>& shape) {
    if ((io.flags & BENTO_IO_ENFORCE_SHAPE) == 0) return;
    for (std::size_t d = shape.size(); d < io.ndim; ++d) {
      shape.push_back(io.shape[d] < 0 ? 0 : io.shape[d]);
    }
  }

  // As NumPy: float64 where there is a fraction, or nothing; else int64; bool of literals alone.
  std::uint32_t suggest_dtype() const {
    bool has_numbers = false;
    for (const rapidjson::Value* element : elements_) {
      if (element->IsDouble()) return BENTO_F64;
      has_numbers |= element->IsNumber();
    }
    return elements_.empty() ? BENTO_F64 : has_numbers ? BENTO_I64 : BENTO_BOOL;
  }

  // Nothing is lost silently: 3.0 is an integer, 0.5 and what is out of range are not.
  template <typename T>
  static T as(const rapidjson::Value& json) {
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
    throw Error(BENTO_INVALID_ARGUMENT, "a number that the array's elements cannot hold");
  }

  std::vector<std::int64_t> shape_;
  bool is_shape_known_ = false;
  std::vector<const rapidjson::Value*> elements_;
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

inline std::string write_ndarray(const Value& value) {
  std::string out;
  const bento_tensor& tensor = value.abi().tensor;
  with_dtype(tensor.dtype, [&]<typename T>(T) {
    const T* next = static_cast<const T*>(tensor.data.ptr);
    write_axis(value.shape(), next, out);
  });
  return out;
}

}  // namespace bento::testing::internal
