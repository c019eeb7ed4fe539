// What goes in and out of APIs and runner methods: the C++ types, and the descriptors that say more
// than a type can (shape, schema, sample). Part of <bento/bento.hpp>.
//
//   C++ type                        descriptor     on the wire
//   TensorView<T> in, Tensor<T>     NDArray<T>     nested JSON arrays
//   Json                            JsonIO         JSON
//   std::string_view in, std::string  TextIO       text/plain, UTF-8
//   Bytes                           FileIO         any media type
//   a struct of <bento/fields.hpp>  FieldsIO<T>    JSON
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/tensor.hpp>
#include <charconv>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// JSON as text: valid UTF-8, already parsed once by the host, so it is well-formed on the way in.
struct Json {
  std::string text;
};

// Bytes with their media type ("" is application/octet-stream).
struct Bytes {
  std::string data, mime;
};

// A descriptor: the owner of a bento_io. Its setters return it, to be chained.
class Io {
 public:
  Io(std::uint32_t kind, std::string descriptor)
      : kind_(kind), descriptor_(std::move(descriptor)) {}

  bento_io abi() const {
    bento_io io{};
    io.size = sizeof io;
    io.kind = kind_;
    io.flags = flags_;
    io.dtype = dtype_;
    io.ndim = static_cast<std::uint32_t>(shape_.size());
    io.shape = shape_.data();
    io.descriptor = detail::str(descriptor_);
    io.mime = detail::str(mime_);
    io.schema = detail::str(schema_);
    io.sample = detail::str(sample_);
    return io;
  }

 protected:
  std::uint32_t kind_, flags_ = 0, dtype_ = 0;
  std::vector<std::int64_t> shape_;
  std::string descriptor_, mime_, schema_, sample_;
};

// An n-dimensional array of T. With a shape, that shape is demanded; -1 is any extent.
template <typename T>
class NDArray : public Io {
 public:
  NDArray() : Io(BENTO_TENSOR, "ndarray") {
    dtype_ = dtype_of<T>();
    flags_ = BENTO_IO_ENFORCE_DTYPE;
  }
  explicit NDArray(std::vector<std::int64_t> shape) : NDArray() {
    shape_ = std::move(shape);
    flags_ |= BENTO_IO_ENFORCE_SHAPE;
  }
  NDArray&& sample(std::initializer_list<std::initializer_list<T>> rows) && {
    sample_ = "[";
    for (const auto& row : rows) {
      sample_ += sample_.size() > 1 ? ",[" : "[";
      bool first = true;
      for (const T& element : row) {
        if (!std::exchange(first, false)) sample_ += ",";
        if constexpr (std::is_same_v<T, bool>) {
          sample_ += element ? "true" : "false";
        } else {
          char text[32];
          sample_.append(text, std::to_chars(text, text + sizeof text, element).ptr);
        }
      }
      sample_ += "]";
    }
    sample_ += "]";
    return std::move(*this);
  }
};

// JSON, held against a JSON Schema (draft 4) where one is given; what breaks it is answered 422.
class JsonIO : public Io {
 public:
  JsonIO() : Io(BENTO_JSON, "json") {}
  JsonIO&& schema(std::string text) && {
    schema_ = std::move(text);
    return std::move(*this);
  }
  JsonIO&& sample(std::string json) && {
    sample_ = std::move(json);
    return std::move(*this);
  }
};

class TextIO : public Io {
 public:
  TextIO() : Io(BENTO_BYTES, "text") {}
};

// Bytes of any media type, or of the one given; another one is answered 415.
class FileIO : public Io {
 public:
  explicit FileIO(std::string mime = {}) : Io(BENTO_BYTES, "file") { mime_ = std::move(mime); }
};

namespace detail {

inline std::string what_it_holds(const bento_io& io) {
  // No pointers: two generations of a plugin that is built without bento_add_plugin() share it.
  static constexpr char kNames[][9] = {"anything", "bool",    "int8",   "int16",  "int32",
                                       "int64",    "uint8",   "uint16", "uint32", "uint64",
                                       "float16",  "float32", "float64"};
  if (io.kind == BENTO_TENSOR) return std::string("an array of ") + kNames[io.dtype];
  return io.kind == BENTO_JSON ? "JSON" : "bytes";
}

// The descriptor that was given, or the one that the function's type implies. The host goes by the
// descriptor: where the two are of different kinds or elements, no call would ever succeed.
inline Io fitting(const std::optional<Io>& given, Io implied, const std::string& what) {
  if (!given) return implied;
  const bento_io a = given->abi(), b = implied.abi();
  if (a.kind == b.kind && a.dtype == b.dtype) return *given;
  throw Error(BENTO_FAILED_PRECONDITION, what + " is described as " + what_it_holds(a) +
                                             ", but its function has " + what_it_holds(b));
}

// The bento_value of a C++ object, which must outlive it, or what owns one and converts to it; and
// back. `get` may refer into the value.
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

}  // namespace detail
}  // namespace bento
