// Value: a bento_value that owns its memory. Sink: collects Values. Part of
// <bento/testing.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::testing::internal {

// Bytes per element; 0 if it is not a dtype.
inline std::size_t dtype_size(std::uint32_t dtype) {
  static constexpr std::size_t kSizes[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 4, 8};
  return dtype < std::size(kSizes) ? kSizes[dtype] : 0;
}

// Throws the error that a call of the plugin has returned. An HTTP status that is not an error's is
// a mistake of the plugin.
inline void check_plugin(bento_code code, const bento_error& error) {
  if (code != BENTO_OK && error.http_status != 0 &&
      (error.http_status < 400 || error.http_status > 599)) {
    throw Error(BENTO_INTERNAL, "an error cannot have the HTTP status " +
                                    std::to_string(error.http_status) + ": " + error.message);
  }
  detail::check(code, error);
}

class Value {
 public:
  Value() { abi_.size = sizeof abi_; }
  Value(const Value&) = delete;  // abi_ points into it
  Value& operator=(const Value&) = delete;

  void set_bytes(std::uint32_t kind, std::string_view bytes, std::string_view mime) {
    mime_ = mime;
    abi_.kind = kind;
    abi_.mime = detail::str(mime_);
    char* data = allocate(bytes.size());
    if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
    abi_.bytes = {data, bytes.size()};
  }
  // The elements are zero, for the caller to fill.
  char* set_tensor(std::uint32_t dtype, std::vector<std::int64_t> shape) {
    if (dtype_size(dtype) == 0) throw Error(BENTO_INTERNAL, "a tensor of an unknown dtype");
    std::size_t count = 1;
    for (const std::int64_t extent : shape) {
      if (extent < 0) throw Error(BENTO_INTERNAL, "a tensor with a negative extent");
      count *= static_cast<std::size_t>(extent);
    }
    shape_ = std::move(shape);
    char* data = allocate(count * dtype_size(dtype));
    abi_.kind = BENTO_TENSOR;
    abi_.tensor = {dtype,
                   static_cast<std::uint32_t>(shape_.size()),
                   shape_.data(),
                   nullptr,
                   {data, count * dtype_size(dtype)}};
    return data;
  }
  void copy(const bento_value& from) {
    set_name(detail::view(from.name));
    if (from.kind == 0) return;  // one that was left out
    if (from.kind != BENTO_TENSOR) {
      return set_bytes(from.kind, {static_cast<const char*>(from.bytes.ptr), from.bytes.len},
                       detail::view(from.mime));
    }
    const bento_tensor& tensor = from.tensor;
    char* to = set_tensor(tensor.dtype, {tensor.shape, tensor.shape + tensor.ndim});
    if (tensor.strides == nullptr && tensor.data.len != abi_.tensor.data.len) {
      throw Error(BENTO_INTERNAL, "a tensor whose shape and data are of different sizes");
    }
    copy_axis(tensor, 0, static_cast<const char*>(tensor.data.ptr), to);
  }

  void set_name(std::string_view name) {
    name_ = name;
    abi_.name = detail::str(name_);
  }

  const bento_value& abi() const { return abi_; }
  std::span<const std::int64_t> shape() const { return shape_; }

 private:
  // Copies in C order, whatever order `tensor` has.
  void copy_axis(const bento_tensor& tensor, std::uint32_t axis, const char* from, char*& to) {
    const std::size_t size = dtype_size(tensor.dtype);
    if (tensor.strides == nullptr || axis == tensor.ndim) {
      const std::size_t bytes = tensor.strides == nullptr ? tensor.data.len : size;
      if (bytes > 0) std::memcpy(to, from, bytes);
      to += bytes;
      return;
    }
    for (std::int64_t i = 0; i < tensor.shape[axis]; ++i) {
      copy_axis(tensor, axis + 1, from + i * tensor.strides[axis] * static_cast<std::int64_t>(size),
                to);
    }
  }
  char* allocate(std::size_t bytes) {
    blocks_.assign(bytes / sizeof(Block) + 1, Block{});
    return blocks_.front().bytes;
  }

  struct alignas(64) Block {  // the alignment that the ABI promises for a tensor's data
    char bytes[64];
  };
  bento_value abi_{};
  std::string name_, mime_;
  std::vector<std::int64_t> shape_;
  std::vector<Block> blocks_;
};

using Values = std::vector<std::unique_ptr<Value>>;

class Sink {
 public:
  // Of a run for so many callers, which it can fail one by one; 0: it cannot.
  explicit Sink(std::size_t callers = 0) : callers_(callers) {
    table_.sink.size = sizeof table_.sink;
    table_.sink.tensor = &tensor;
    table_.sink.value = &value;
    table_.sink.give = &give;
#if BENTO_ABI_TARGET_MINOR >= 1
    table_.sink.fail = &fail;
#endif
    table_.self = this;
  }
  Sink(const Sink&) = delete;
  Sink& operator=(const Sink&) = delete;

  bento_sink* abi() { return &table_.sink; }
  Values take() { return std::exchange(values_, {}); }
  // By caller.
  const std::map<std::size_t, Error>& failures() const { return failures_; }

 private:
  struct Table {
    bento_sink sink{};  // first: has the table's address
    Sink* self = nullptr;
  };

  static Sink& self(bento_sink* sink) { return *reinterpret_cast<Table*>(sink)->self; }
  static void put(bento_sink* sink, std::unique_ptr<Value> value) {
    self(sink).values_.push_back(std::move(value));
  }
  static void* tensor(bento_sink* sink, bento_str, std::uint32_t dtype, std::uint32_t ndim,
                      const std::int64_t* shape, bento_error* error) {
    void* data = nullptr;
    (void)detail::guard(error, [&] {
      auto made = std::make_unique<Value>();
      data = made->set_tensor(dtype, {shape, shape + ndim});
      put(sink, std::move(made));
    });
    return data;
  }
  static bento_code value(bento_sink* sink, const bento_value* copied, bento_error* error) {
    return detail::guard(error, [&] {
      auto made = std::make_unique<Value>();
      made->copy(*copied);
      put(sink, std::move(made));
    });
  }
  static bento_code give(bento_sink* sink, const bento_value* given, void* owner,
                         void (*release)(void*), bento_error* error) {
    const bento_code code = value(sink, given, error);
    release(owner);
    return code;
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  static bento_code fail(bento_sink* sink, std::size_t caller, const bento_error* why,
                         bento_error* error) {
    return detail::guard(error, [&] {
      if (caller >= self(sink).callers_) {
        detail::misuse(BENTO_INVALID_ARGUMENT,
                       "fail: there is no caller " + std::to_string(caller) + " in the batch");
      }
      self(sink).failures_.emplace(caller, Error(why->code, why->message, why->http_status));
    });
  }
#endif

  const std::size_t callers_;
  Values values_;
  std::map<std::size_t, Error> failures_;
  Table table_;
};

}  // namespace bento::testing::internal
