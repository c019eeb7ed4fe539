// Descriptors: what goes into and out of APIs and runner methods, where that is more than the C++
// type says (a shape, a schema, a sample). Each type implies a descriptor, so most plugins name one
// only to narrow it: {.input = bento::NDArray<double>({-1, 4})}. BentoML's names. Part of
// <bento/bento.hpp>.
//
//   C++ type                        descriptor     on the wire
//   TensorView<T> in, Tensor<T>     NDArray<T>     nested JSON arrays
//   Json                            JsonIO         JSON
//   std::string_view in, std::string  TextIO       text/plain, UTF-8
//   Bytes                           FileIO         any media type
//   a struct of <bento/fields.hpp>  FieldsIO<T>    JSON
//   a struct of <bento/values.hpp>  several values, each by its own descriptor
//
// The host holds both directions to the descriptor. A request's body that does not fit is answered
// 400 (not JSON, not UTF-8, another shape or element), 415 (another media type) or 422 (breaks the
// schema) before the plugin is called; a result that does not fit is a 500, whose log line says
// what was declared and what came. A descriptor of another kind or element type than the function
// has is refused where it is described: Error. Values; used while a service is described, by one
// thread.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <bento/tensor.hpp>
#include <charconv>
#include <initializer_list>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento {

// JSON as text. As the input of an API it is well-formed (RFC 8259), in UTF-8, at most 128 levels
// deep, and fits the schema if there is one. As a result it has to be well-formed and to fit.
struct Json {
  Json() = default;
  Json(std::string json) : text(std::move(json)) {}
  std::string text;
};

// Bytes with their media type. As an input: that of the request's Content-Type in lower case and
// without parameters, "" if it has none. As a result: what the answer's Content-Type says; "" for
// the type that the FileIO names, or else application/octet-stream.
struct Bytes {
  Bytes() = default;
  Bytes(std::string bytes, std::string type = {}) : data(std::move(bytes)), mime(std::move(type)) {}
  std::string data, mime;
};

// What all descriptors are, and what ApiOptions and MethodOptions take. A value; plugins make one
// of the classes below.
class Io {
 public:
  // `kind`: BENTO_TENSOR, BENTO_JSON or BENTO_BYTES; `descriptor`: the ABI's name, "ndarray".
  Io(std::uint32_t kind, std::string descriptor)
      : kind_(kind), descriptor_(std::move(descriptor)) {}

  // Points into this, and is valid until this is changed, moved or destroyed.
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
#if BENTO_ABI_TARGET_MINOR >= 1
    io.name = detail::str(name_);
#endif
    return io;
  }
#if BENTO_ABI_TARGET_MINOR >= 1
  // For the SDK: one of several values, by its name. An optional one may be left out.
  void set_name(std::string name, bool is_optional) {
    name_ = std::move(name);
    if (is_optional) flags_ |= BENTO_IO_OPTIONAL;
  }
  // For the SDK: of a tensor, as NDArray has it.
  void set_shape(std::vector<std::int64_t> shape) {
    shape_ = std::move(shape);
    flags_ |= BENTO_IO_ENFORCE_SHAPE;
  }
#endif

 protected:
  std::uint32_t kind_, flags_ = 0, dtype_ = 0;
  std::vector<std::int64_t> shape_;
  std::string descriptor_, mime_, schema_, sample_;
#if BENTO_ABI_TARGET_MINOR >= 1
  std::string name_;
#endif
};

// An n-dimensional array of T: on the wire nested JSON arrays, as NumPy's tolist() gives them. The
// element type is always enforced.
template <typename T>
class NDArray : public Io {
 public:
  // Of any shape.
  NDArray() : Io(BENTO_TENSOR, "ndarray") {
    dtype_ = dtype_of<T>();
    flags_ = BENTO_IO_ENFORCE_DTYPE;
  }
  // Of this shape; -1 is any extent: NDArray<double>({-1, 4}) is n rows of 4.
  explicit NDArray(std::vector<std::int64_t> shape) : NDArray() {
    shape_ = std::move(shape);
    flags_ |= BENTO_IO_ENFORCE_SHAPE;
  }
  // Rows that the API answers, for --reload-samples.
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

// JSON, of any form or of that of a schema.
class JsonIO : public Io {
 public:
  JsonIO() : Io(BENTO_JSON, "json") {}
  // The text of a JSON Schema, draft 4. The host refuses the plugin if it cannot be read.
  JsonIO&& schema(std::string text) && {
    schema_ = std::move(text);
    return std::move(*this);
  }
  // As NDArray's; the text of a JSON document.
  JsonIO&& sample(std::string json) && {
    sample_ = std::move(json);
    return std::move(*this);
  }
};

// UTF-8, answered as text/plain. A request's Content-Type is not looked at.
class TextIO : public Io {
 public:
  TextIO() : Io(BENTO_BYTES, "text") {}
};

// Bytes as they come.
class FileIO : public Io {
 public:
  // `mime`: a media type, "image/png", or all of a kind, "image/*"; a body of another, or of none,
  // is answered 415. "": any.
  explicit FileIO(std::string mime = {}) : Io(BENTO_BYTES, "file") { mime_ = std::move(mime); }
};

}  // namespace bento
