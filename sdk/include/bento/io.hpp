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
#include <string>
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

}  // namespace bento
