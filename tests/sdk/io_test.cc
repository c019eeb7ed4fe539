// Descriptors, and the way of values to C++ types and back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/detail/io_traits.hpp>
#include <bento/io.hpp>
#include <cstdint>
#include <limits>

#include "sdk/fake_host.h"

namespace bento {
namespace {

using fakes::make_bytes;
using fakes::make_tensor;
using testing::ElementsAre;

std::string sample_of(const Io& io) { return fakes::text(io.abi().sample); }

TEST(NDArray, EnforcesItsTypeAndItsShapeIfItHasOne) {
  const NDArray<float> any;
  EXPECT_EQ(any.abi().kind, static_cast<std::uint32_t>(BENTO_TENSOR));
  EXPECT_EQ(any.abi().dtype, static_cast<std::uint32_t>(BENTO_F32));
  EXPECT_EQ(any.abi().flags, BENTO_IO_ENFORCE_DTYPE);
  const NDArray<float> rows({-1, 4});
  EXPECT_EQ(rows.abi().flags, BENTO_IO_ENFORCE_DTYPE | BENTO_IO_ENFORCE_SHAPE);
  ASSERT_EQ(rows.abi().ndim, 2u);
  EXPECT_EQ(rows.abi().shape[1], 4);
}

TEST(NDArray, WritesItsSampleAsAPersonWould) {
  EXPECT_EQ(sample_of(NDArray<double>().sample({{4.9, 3.0, 1.4, 0.2}, {1e300, -0.5}})),
            "[[4.9,3,1.4,0.2],[1e+300,-0.5]]");
  EXPECT_EQ(sample_of(NDArray<float>().sample({{0.1f}})), "[[0.1]]");
  EXPECT_EQ(sample_of(NDArray<std::int8_t>().sample({{65, -1}})), "[[65,-1]]");
  EXPECT_EQ(sample_of(NDArray<std::uint64_t>().sample({{18446744073709551615u}})),
            "[[18446744073709551615]]");
  EXPECT_EQ(sample_of(NDArray<bool>().sample({{true, false}})), "[[true,false]]");
  EXPECT_EQ(sample_of(NDArray<double>().sample({})), "[]");
}

TEST(Descriptors, SayWhatTheyAre) {
  EXPECT_EQ(fakes::text(JsonIO().abi().descriptor), "json");
  EXPECT_EQ(fakes::text(TextIO().abi().descriptor), "text");
  const FileIO png("image/png");
  EXPECT_EQ(fakes::text(png.abi().descriptor), "file");
  EXPECT_EQ(fakes::text(png.abi().mime), "image/png");
  const Io json = JsonIO().schema("{}").sample("[1]");
  EXPECT_EQ(fakes::text(json.abi().schema), "{}");
  EXPECT_EQ(fakes::text(json.abi().sample), "[1]");
}

TEST(IoTraits, HandOverTensorsWithoutACopy) {
  const std::vector<std::int64_t> shape = {2, 2};
  const std::vector<double> elements = {1, 2, 3, 4};
  const bento_value value = make_tensor(BENTO_F64, shape, elements);
  const auto view = detail::IoTraits<TensorView<double>>::get(value);
  EXPECT_EQ(view.data(), elements.data());
  EXPECT_THAT(view.shape(), ElementsAre(2, 2));
  const bento_value back = detail::IoTraits<TensorView<double>>::put(view);
  EXPECT_EQ(back.tensor.data.ptr, elements.data());
  EXPECT_EQ(back.tensor.data.len, 32u);
  EXPECT_EQ(back.tensor.ndim, 2u);
}

TEST(IoTraits, CopyWhatIsToBeKept) {
  const std::vector<std::int64_t> shape = {2};
  std::vector<double> elements = {1, 2};
  const auto kept = detail::IoTraits<Tensor<double>>::get(make_tensor(BENTO_F64, shape, elements));
  elements[0] = 9;
  EXPECT_THAT(kept.view(), ElementsAre(1, 2));
}

TEST(IoTraits, RefuseAnotherTypeThanWasDeclared) {
  const std::vector<std::int64_t> shape = {1};
  const bento_value floats = make_tensor<float>(BENTO_F32, shape, {1});
  EXPECT_THROW((void)detail::IoTraits<TensorView<double>>::get(floats), Error);
  EXPECT_THROW((void)detail::IoTraits<Json>::get(floats), Error);
  EXPECT_THROW((void)detail::IoTraits<TensorView<float>>::get(make_bytes(BENTO_JSON, "1")), Error);
  EXPECT_THROW((void)detail::IoTraits<std::string>::get(make_bytes(BENTO_JSON, "1")), Error);
}

TEST(IoTraits, CarryTextJsonAndBytes) {
  const std::string nul("a\0b", 3);
  EXPECT_EQ(detail::IoTraits<std::string>::get(make_bytes(BENTO_BYTES, nul)), nul);
  EXPECT_EQ(detail::IoTraits<std::string_view>::get(make_bytes(BENTO_BYTES, "")), "");
  EXPECT_EQ(detail::IoTraits<Json>::get(make_bytes(BENTO_JSON, "{}")).text, "{}");
  const Bytes png{nul, "image/png"};
  const bento_value value = detail::IoTraits<Bytes>::put(png);
  const Bytes back = detail::IoTraits<Bytes>::get(value);
  EXPECT_EQ(back.data, nul);
  EXPECT_EQ(back.mime, "image/png");
}

}  // namespace
}  // namespace bento
