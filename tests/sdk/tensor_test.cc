#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bento/tensor.hpp>

namespace bento {
namespace {

using testing::ElementsAre;

static_assert(dtype_of<bool>() == BENTO_BOOL && dtype_of<std::int8_t>() == BENTO_I8);
static_assert(dtype_of<short>() == BENTO_I16 && dtype_of<int>() == BENTO_I32);
static_assert(dtype_of<long>() == BENTO_I64 && dtype_of<long long>() == BENTO_I64);
static_assert(dtype_of<std::uint8_t>() == BENTO_U8 && dtype_of<std::uint16_t>() == BENTO_U16);
static_assert(dtype_of<std::uint32_t>() == BENTO_U32 && dtype_of<std::uint64_t>() == BENTO_U64);
static_assert(dtype_of<float>() == BENTO_F32 && dtype_of<double>() == BENTO_F64);

TEST(Tensor, IsZeroWhenMade) {
  const auto tensor = Tensor<float>::zeros({2, 3});
  EXPECT_EQ(tensor.size(), 6u);
  EXPECT_THAT(tensor.view(), testing::Each(0.0f));
  EXPECT_EQ(Tensor<float>::zeros({}).size(), 1u) << "a scalar";
  EXPECT_EQ(Tensor<float>::zeros({0, 4}).size(), 0u);
}

TEST(Tensor, TakesExtentsOfAnyIntegerType) {
  const auto x = Tensor<float>::zeros({5, 4});
  const int columns = 3;
  EXPECT_THAT(Tensor<int>::zeros({x.rows(), columns, 2u}).shape(), ElementsAre(5, 3, 2));
  EXPECT_THAT(Tensor<int>::zeros(std::vector<std::int64_t>{6, 1}).shape(), ElementsAre(6, 1));
  EXPECT_THAT(Tensor<int>::zeros({}).shape(), ElementsAre());
}

TEST(Tensor, HasNoNegativeExtents) {
  EXPECT_THROW((void)Tensor<float>::zeros({2, -1}), std::invalid_argument);
}

TEST(Tensor, IsFilledRowByRow) {
  auto tensor = Tensor<int>::zeros({2, 3});
  for (const auto i : rows(tensor)) {
    for (int& element : tensor.row(i)) element = static_cast<int>(i) + 1;
  }
  EXPECT_EQ(tensor.rows(), 2u);
  EXPECT_THAT(tensor.view(), ElementsAre(1, 1, 1, 2, 2, 2));
  EXPECT_THAT(std::as_const(tensor).row(1), ElementsAre(2, 2, 2));
}

TEST(Tensor, HoldsItsElementsInCOrder) {
  auto tensor = Tensor<int>::zeros({2, 2, 2});
  tensor(0, 1, 0) = 5;
  tensor(1, 0, 1) = 7;
  EXPECT_THAT(tensor.view(), ElementsAre(0, 0, 5, 0, 0, 7, 0, 0));
  EXPECT_EQ(tensor.view()(1, 0, 1), 7);
}

TEST(Tensor, IsMadeOfAShapeAndItsElements) {
  const Tensor<double> tensor({2, 3}, {1, 2, 3, 4, 5, 6.5});
  EXPECT_THAT(tensor.shape(), ElementsAre(2, 3));
  EXPECT_THAT(tensor.row(1), ElementsAre(4, 5, 6.5));
  const std::vector<bool> bits = {true, false};
  EXPECT_THAT(Tensor<bool>({tensor.rows(), 1}, bits).view(), ElementsAre(true, false));
  EXPECT_THAT(Tensor<int>(tensor.shape(), {1, 2, 3, 4, 5, 6}).shape(), ElementsAre(2, 3));
  EXPECT_THAT(Tensor<std::int64_t>({2, 1}, {7, 8}).shape(), ElementsAre(2, 1));
  EXPECT_THAT(Tensor<int>(std::vector<std::int64_t>{1}, {3}).view(), ElementsAre(3));
  EXPECT_EQ(Tensor<int>({0, 4}, {}).size(), 0u);
}

TEST(Tensor, HasAsManyElementsAsItsShape) {
  EXPECT_THROW((Tensor<double>({2, 2}, {1, 2, 3})), std::invalid_argument);
  EXPECT_THROW((Tensor<double>({2}, {1, 2, 3})), std::invalid_argument);
  EXPECT_THROW((Tensor<double>({-1, -1}, {1})), std::invalid_argument);
}

TEST(Tensor, IsMadeOfAListOfElements) {
  const Tensor<double> tensor = {1.5, 2.5};
  EXPECT_THAT(tensor.shape(), ElementsAre(2));
  EXPECT_THAT(tensor.view(), ElementsAre(1.5, 2.5));
}

TEST(Tensor, OfBoolHasMemoryLikeTheOthers) {
  auto tensor = Tensor<bool>::zeros({3});
  tensor(1) = true;
  const TensorView<bool> view = tensor;
  EXPECT_THAT(view, ElementsAre(false, true, false));
  EXPECT_EQ(view.data(), tensor.data());
}

TEST(Tensor, CopiesAView) {
  const auto original = Tensor<int>{1, 2, 3};
  auto copy = Tensor<int>::copy(original);
  copy(0) = 9;
  EXPECT_EQ(original(0), 1);
  EXPECT_THAT(copy.shape(), ElementsAre(3));
}

TEST(TensorView, GivesRowsOfAnyFurtherAxes) {
  auto tensor = Tensor<int>::zeros({2, 2, 2});
  for (std::size_t i = 0; i < 8; ++i) tensor.data()[i] = static_cast<int>(i);
  const TensorView<int> view = tensor;
  EXPECT_EQ(view.rows(), 2u);
  EXPECT_EQ(view.ndim(), 3u);
  EXPECT_THAT(view.row(1), ElementsAre(4, 5, 6, 7));
  std::vector<std::size_t> indices;
  for (const auto i : rows(view)) indices.push_back(i);
  EXPECT_THAT(indices, ElementsAre(0, 1));
}

TEST(TensorView, OfAScalarHasOneRow) {
  const auto scalar = Tensor<double>::zeros({});
  EXPECT_EQ(scalar.view().rows(), 1u);
  EXPECT_EQ(scalar.view().row(0).size(), 1u);
}

}  // namespace
}  // namespace bento
