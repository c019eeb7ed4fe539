// Values for the tests of the wire room, and a comparison of two values.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "wire/value.h"

namespace bentohost::wire {

using Shape = std::vector<std::int64_t>;

inline constexpr std::uint32_t kEveryDtype[] = {BENTO_BOOL, BENTO_I8,  BENTO_I16, BENTO_I32,
                                                BENTO_I64,  BENTO_U8,  BENTO_U16, BENTO_U32,
                                                BENTO_U64,  BENTO_F16, BENTO_F32, BENTO_F64};

// A tensor whose bytes count up, so that no two places near each other look alike.
inline Value make_tensor(std::uint32_t dtype, Shape shape, std::string name = "") {
  Value value;
  value.kind = BENTO_TENSOR;
  value.name = std::move(name);
  value.dtype = dtype;
  value.data.resize(static_cast<std::size_t>(tensor_bytes(dtype, shape)));
  value.shape = std::move(shape);
  for (std::size_t i = 0; i < value.data.size(); ++i) {
    value.data[i] = static_cast<char>(i + i / 251);
  }
  return value;
}

inline Value make_blob(std::uint32_t kind, const std::string& data, std::string mime = "") {
  Value value;
  value.kind = kind;
  value.mime = std::move(mime);
  value.data.assign(data.begin(), data.end());
  return value;
}

// Values of each kind and dtype, with no, one and many dimensions and elements.
inline std::vector<Value> every_sort_of_value() {
  std::vector<Value> values;
  values.push_back(make_blob(BENTO_JSON, R"({"petal": [1.5, 0.2]})", "application/json"));
  values.push_back(make_blob(BENTO_BYTES, std::string("\0\xff\x80 raw", 7), "image/png"));
  values.push_back(make_blob(BENTO_BYTES, ""));
  for (const std::uint32_t dtype : kEveryDtype) {
    values.push_back(make_tensor(dtype, {3, 5}, "x"));
    values.push_back(make_tensor(dtype, {}, "scalar"));
    values.push_back(make_tensor(dtype, {0, 4}));
    values.push_back(make_tensor(dtype, {2, 1, 3, 2, 2}, std::string(100, 'n')));
  }
  values.push_back(make_tensor(BENTO_U8, Shape(kMaxDims, 1)));
  return values;
}

inline std::string bytes_of(const bento_value& value) {
  const bento_bytes& data = value.kind == BENTO_TENSOR ? value.tensor.data : value.bytes;
  return data.len == 0 ? std::string() : std::string(static_cast<const char*>(data.ptr), data.len);
}

inline void expect_same(const bento_value& actual, const bento_value& expected) {
  EXPECT_EQ(actual.size, sizeof(bento_value));
  EXPECT_EQ(actual.kind, expected.kind);
  EXPECT_EQ(to_view(actual.name), to_view(expected.name));
  EXPECT_EQ(to_view(actual.mime), to_view(expected.mime));
  EXPECT_EQ(bytes_of(actual), bytes_of(expected));
  ASSERT_EQ(actual.tensor.ndim, expected.tensor.ndim);
  EXPECT_EQ(actual.tensor.dtype, expected.tensor.dtype);
  EXPECT_EQ(actual.tensor.strides, nullptr);
  for (std::uint32_t i = 0; i < actual.tensor.ndim; ++i) {
    EXPECT_EQ(actual.tensor.shape[i], expected.tensor.shape[i]) << "axis " << i;
  }
}

inline bool is_aligned(const void* p) {
  return reinterpret_cast<std::uintptr_t>(p) % kDataAlignment == 0;
}

// The same numbers in every run, so that failures are reproducible.
class Random {
 public:
  explicit Random(std::uint32_t seed) : engine_(seed) {}
  std::int64_t between(std::int64_t least, std::int64_t most) {
    return std::uniform_int_distribution<std::int64_t>(least, most)(engine_);
  }
  std::uint32_t dtype() { return static_cast<std::uint32_t>(between(BENTO_BOOL, BENTO_F64)); }
  Shape shape(std::int64_t least_dims, std::int64_t most_dims) {
    Shape shape(static_cast<std::size_t>(between(least_dims, most_dims)));
    for (std::int64_t& extent : shape) extent = between(0, 9) == 0 ? 0 : between(1, 5);
    return shape;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace bentohost::wire
