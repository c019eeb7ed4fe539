#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "codec/ndarray.h"

namespace bentohost::service {
namespace {

using Shape = std::vector<std::int64_t>;

bento_tensor tensor_of(std::uint32_t dtype, const Shape& shape, const void* data,
                       std::size_t bytes) {
  return {dtype, static_cast<std::uint32_t>(shape.size()), shape.data(), nullptr, {data, bytes}};
}

template <typename T>
bento_tensor tensor_of(std::uint32_t dtype, const Shape& shape, const std::vector<T>& data) {
  return tensor_of(dtype, shape, data.data(), data.size() * sizeof(T));
}

template <typename T>
std::string text_of(std::uint32_t dtype, const Shape& shape, const std::vector<T>& data) {
  std::string text;
  const Status status = write_ndarray(tensor_of(dtype, shape, data), text);
  EXPECT_TRUE(status.ok()) << status.message();
  return text;
}

// The error of write_ndarray for a tensor that it must refuse; `out` must not change.
std::string error_of(const bento_tensor& tensor) {
  std::string text = "before";
  const Status status = write_ndarray(tensor, text);
  EXPECT_EQ(status.code(), BENTO_INTERNAL);
  EXPECT_EQ(text, "before");
  return status.message();
}

TEST(NdarrayWrite, NestsByShape) {
  const std::vector<std::int32_t> six = {1, 2, 3, 4, 5, 6};
  EXPECT_EQ(text_of(BENTO_I32, {6}, six), "[1,2,3,4,5,6]");
  EXPECT_EQ(text_of(BENTO_I32, {2, 3}, six), "[[1,2,3],[4,5,6]]");
  EXPECT_EQ(text_of(BENTO_I32, {1, 3, 2}, six), "[[[1,2],[3,4],[5,6]]]");
}

TEST(NdarrayWrite, WritesABareScalarForZeroDimensions) {
  EXPECT_EQ(text_of<std::int8_t>(BENTO_I8, {}, {-7}), "-7");
}

TEST(NdarrayWrite, WritesEmptyExtents) {
  EXPECT_EQ(text_of<double>(BENTO_F64, {0}, {}), "[]");
  EXPECT_EQ(text_of<double>(BENTO_F64, {2, 0}, {}), "[[],[]]");
  EXPECT_EQ(text_of<double>(BENTO_F64, {0, 4}, {}), "[]");
}

TEST(NdarrayWrite, Appends) {
  std::string text = "{\"y\":";
  ASSERT_TRUE(write_ndarray(tensor_of<std::uint8_t>(BENTO_U8, {1}, {255}), text).ok());
  EXPECT_EQ(text, "{\"y\":[255]");
}

TEST(NdarrayWrite, WritesBytesOfBoolAsLiterals) {
  EXPECT_EQ(text_of<std::uint8_t>(BENTO_BOOL, {3}, {0, 1, 2}), "[false,true,true]");
}

TEST(NdarrayWrite, WritesTheShortestFloat64ThatReadsBackTheSame) {
  EXPECT_EQ(text_of<double>(BENTO_F64, {9},
                            {0.1, 0.1 + 0.2, 3.0, -0.0, 1e5, 1e22, 5e-324, -2.5, 123456.0}),
            "[0.1,0.30000000000000004,3.0,-0.0,1e+05,1e+22,5e-324,-2.5,123456.0]");
  EXPECT_EQ(text_of<double>(BENTO_F64, {}, {-2.2250738585072014e-308}), "-2.2250738585072014e-308");
}

TEST(NdarrayWrite, WritesFloat32AsSuch) {
  EXPECT_EQ(text_of<float>(BENTO_F32, {4}, {0.1F, 16777216.0F, 3.4028235e38F, 1.0F}),
            "[0.1,16777216.0,3.4028235e+38,1.0]");
}

TEST(NdarrayWrite, WritesFloat16AsSuch) {
  EXPECT_EQ(text_of<std::uint16_t>(BENTO_F16, {7},
                                   {0x2e66, 0x3c00, 0x7bff, 0x0001, 0x8000, 0x6801, 0x3555}),
            "[0.1,1.0,65500.0,6e-08,-0.0,2050.0,0.3333]");
}

TEST(NdarrayWrite, FillsMoreThanOneBuffer) {
  std::string expected = "[";
  std::vector<std::int16_t> numbers;
  for (int i = -5000; i < 5000; ++i) {
    numbers.push_back(static_cast<std::int16_t>(i));
    expected += std::to_string(i) + ',';
  }
  expected.back() = ']';
  EXPECT_EQ(text_of(BENTO_I16, {10000}, numbers), expected);
}

TEST(NdarrayWrite, RefusesWhatJsonHasNoNumberForAndNamesThePlace) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<double> doubles = {0, 1, 2, nan};
  const std::vector<float> floats = {-infinity};
  const std::vector<std::uint16_t> halves = {0, 0x7c00};
  const std::string why = ": JSON has no NaN and no infinity";
  EXPECT_EQ(error_of(tensor_of(BENTO_F64, {2, 2}, doubles)), "not a finite number at [1][1]" + why);
  EXPECT_EQ(error_of(tensor_of(BENTO_F32, {}, floats)), "not a finite number" + why);
  EXPECT_EQ(error_of(tensor_of(BENTO_F16, {2}, halves)), "not a finite number at [1]" + why);
}

TEST(NdarrayWrite, RefusesATensorWhoseFieldsContradictEachOther) {
  const std::vector<double> two = {1, 2};
  const Shape huge = {std::int64_t{1} << 40, 0}, overflowing(3, std::int64_t{1} << 40);
  EXPECT_EQ(error_of(tensor_of(99, {2}, two)), "unknown dtype 99");
  EXPECT_EQ(error_of(tensor_of(BENTO_F64, {3}, two)),
            "a tensor of shape (3,) and dtype float64 with 16 bytes of data");
  EXPECT_EQ(error_of(tensor_of(BENTO_F64, {1}, two)),
            "a tensor of shape (1,) and dtype float64 with 16 bytes of data");
  EXPECT_EQ(error_of(tensor_of(BENTO_F64, Shape(33, 1), two)), "a tensor of 33 dimensions");
  EXPECT_NE(error_of(tensor_of(BENTO_F64, overflowing, two)), "");
  EXPECT_EQ(error_of(tensor_of(BENTO_F64, huge, nullptr, 0)),
            "an empty tensor of shape (1099511627776, 0)");
  const Shape shape = {2}, strides = {1};
  bento_tensor strided = tensor_of(BENTO_F64, shape, two);
  strided.strides = strides.data();
  EXPECT_EQ(error_of(strided), "a tensor that is not in C order");
}

// ---- write(parse(write(x))) and the bits of x, for random tensors of every dtype ---------------

class NdarrayRoundTrip : public testing::TestWithParam<std::uint32_t> {
 protected:
  Shape random_shape() {
    Shape shape(random_() % 4);
    for (std::int64_t& extent : shape) extent = static_cast<std::int64_t>(random_() % 5);
    return shape;
  }

  // Any bit pattern except NaN and infinity.
  template <typename T>
  void fill(std::vector<char>& data) {
    for (std::size_t at = 0; at < data.size(); at += sizeof(T)) {
      T value;
      do {
        const std::uint64_t bits = random_();
        std::memcpy(&value, &bits, sizeof value);
      } while (!std::isfinite(static_cast<double>(value)));
      std::memcpy(data.data() + at, &value, sizeof value);
    }
  }

  void fill(std::uint32_t dtype, std::vector<char>& data) {
    if (dtype == BENTO_F64) return fill<double>(data);
    if (dtype == BENTO_F32) return fill<float>(data);
    const std::size_t size = wire::dtype_size(dtype);
    for (std::size_t at = 0; at < data.size(); at += size) {
      std::uint64_t bits = random_();
      if (dtype == BENTO_BOOL) bits &= 1;
      if (dtype == BENTO_F16 && (bits & 0x7c00) == 0x7c00) bits &= ~std::uint64_t{0x0400};
      std::memcpy(data.data() + at, &bits, size);
    }
  }

  std::mt19937_64 random_{20240229};
};

TEST_P(NdarrayRoundTrip, KeepsEveryBit) {
  TensorSpec spec;
  spec.dtype = GetParam();
  spec.any_shape = false;
  for (int i = 0; i < 500; ++i) {
    const Shape shape = random_shape();
    std::vector<char> data(static_cast<std::size_t>(wire::tensor_bytes(spec.dtype, shape)));
    fill(spec.dtype, data);
    std::string text, again;
    ASSERT_TRUE(write_ndarray(tensor_of(spec.dtype, shape, data), text).ok());
    spec.shape = shape;
    const auto value = parse_ndarray(text, spec);
    ASSERT_TRUE(value.ok()) << text << ": " << value.status().message();
    ASSERT_EQ(value->shape, shape) << text;
    ASSERT_TRUE(std::equal(data.begin(), data.end(), value->data.begin(), value->data.end()))
        << text;
    ASSERT_TRUE(write_ndarray(value->view().tensor, again).ok());
    ASSERT_EQ(again, text);
  }
}

INSTANTIATE_TEST_SUITE_P(OfEveryDtype, NdarrayRoundTrip,
                         testing::Range<std::uint32_t>(BENTO_BOOL, BENTO_F64 + 1),
                         [](const auto& dtype) {
                           return std::string(wire::dtype_name(dtype.param));
                         });

}  // namespace
}  // namespace bentohost::service
