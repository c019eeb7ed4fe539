// IoTraits: how a C++ value becomes a bento_value and back. Part of <bento/bento.hpp>; see
// <bento/io.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/io.hpp>
#include <bento/tensor.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace bento::detail {

inline std::string what_it_holds(const bento_io& io) {
  // No pointers: two generations of a plugin built without bento_add_plugin() share this variable.
  static constexpr char kNames[][9] = {"anything", "bool",    "int8",   "int16",  "int32",
                                       "int64",    "uint8",   "uint16", "uint32", "uint64",
                                       "float16",  "float32", "float64"};
  if (io.kind == BENTO_TENSOR) return std::string("an array of ") + kNames[io.dtype];
  return io.kind == BENTO_JSON ? "JSON" : "bytes";
}

// The descriptor that was given, or the one that the function's type implies. The host uses the
// descriptor: if the two differed in kind or element type, no call would ever succeed.
inline Io fitting(const std::optional<Io>& given, Io implied, const std::string& what) {
  if (!given) return implied;
  const bento_io a = given->abi(), b = implied.abi();
  if (a.kind == b.kind && a.dtype == b.dtype) return *given;
  throw Error(BENTO_FAILED_PRECONDITION, what + " is described as " + what_it_holds(a) +
                                             ", but its function has " + what_it_holds(b));
}

// Converts a C++ object to a bento_value, which must not outlive the object, or to an owner that
// converts to one; and back. The result of `get` may refer into the value.
template <typename T>
inline constexpr bool kIsKnown = false;
template <typename T>
struct IoTraits {
  static_assert(
      kIsKnown<T>,
      "what a function takes or returns is a TensorView<T>, a Tensor<T>, a Json, a "
      "std::string_view, a std::string, a Bytes, or a struct that BENTO_FIELDS describes");
};

inline bento_value make_value(std::uint32_t kind, std::string_view bytes,
                              std::string_view mime = {}) {
  bento_value value{};
  value.size = sizeof value;
  value.kind = kind;
  value.mime = str(mime);
  value.bytes = {bytes.data(), bytes.size()};
  return value;
}

inline std::string_view bytes_of(const bento_value& value) {
  return {static_cast<const char*>(value.bytes.ptr), value.bytes.len};
}

inline void expect_kind(const bento_value& value, std::uint32_t kind) {
  if (value.kind != kind) throw Error(BENTO_INTERNAL, "a value of another kind than was declared");
}

template <typename T>
struct IoTraits<TensorView<T>> {
  static Io io() { return NDArray<T>(); }
  static bento_value put(const TensorView<T>& view) {
    bento_value value{};
    value.size = sizeof value;
    value.kind = BENTO_TENSOR;
    value.tensor.dtype = dtype_of<T>();
    value.tensor.ndim = static_cast<std::uint32_t>(view.ndim());
    value.tensor.shape = view.shape().data();
    value.tensor.data = {view.data(), view.size() * sizeof(T)};
    return value;
  }
  static TensorView<T> get(const bento_value& value) {
    expect_kind(value, BENTO_TENSOR);
    if (value.tensor.dtype != dtype_of<T>())
      throw Error(BENTO_INTERNAL, "a tensor of another dtype");
    return {static_cast<const T*>(value.tensor.data.ptr), {value.tensor.shape, value.tensor.ndim}};
  }
};

template <typename T>
struct IoTraits<Tensor<T>> {
  static Io io() { return NDArray<T>(); }
  static bento_value put(const Tensor<T>& tensor) {
    return IoTraits<TensorView<T>>::put(tensor.view());
  }
  static Tensor<T> get(const bento_value& value) {
    return Tensor<T>::copy(IoTraits<TensorView<T>>::get(value));
  }
};

template <>
struct IoTraits<Json> {
  static Io io() { return JsonIO(); }
  static bento_value put(const Json& json) {
    return make_value(BENTO_JSON, json.text, "application/json");
  }
  static Json get(const bento_value& value) {
    expect_kind(value, BENTO_JSON);
    return {std::string(bytes_of(value))};
  }
};

template <>
struct IoTraits<std::string_view> {
  static Io io() { return TextIO(); }
  static bento_value put(std::string_view text) { return make_value(BENTO_BYTES, text); }
  static std::string_view get(const bento_value& value) {
    expect_kind(value, BENTO_BYTES);
    return bytes_of(value);
  }
};

template <>
struct IoTraits<const char*> {  // a result only: return "ok";
  static Io io() { return TextIO(); }
  static bento_value put(std::string_view text) { return IoTraits<std::string_view>::put(text); }
};

template <>
struct IoTraits<std::string> {
  static Io io() { return TextIO(); }
  static bento_value put(const std::string& text) { return IoTraits<std::string_view>::put(text); }
  static std::string get(const bento_value& value) {
    return std::string(IoTraits<std::string_view>::get(value));
  }
};

template <>
struct IoTraits<Bytes> {
  static Io io() { return FileIO(); }
  static bento_value put(const Bytes& bytes) {
    return make_value(BENTO_BYTES, bytes.data, bytes.mime);
  }
  static Bytes get(const bento_value& value) {
    expect_kind(value, BENTO_BYTES);
    return {std::string(bytes_of(value)), std::string(view(value.mime))};
  }
};

template <typename T>
void put(bento_sink* sink, const T& result) {
  const auto held = IoTraits<T>::put(result);  // a bento_value, or what owns one
  const bento_value& value = held;
  bento_error error = make_error();
  check(sink->value(sink, &value, &error), error);
}

}  // namespace bento::detail
