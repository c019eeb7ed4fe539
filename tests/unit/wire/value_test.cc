#include "wire/value.h"

#include <gmock/gmock.h>

#include "unit/wire/samples.h"

namespace bentohost::wire {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kHuge = std::int64_t{1} << 62;

void expect_refused(const bento_value& view, std::string_view because) {
  const Status status = check_value(view);
  EXPECT_EQ(status.code(), BENTO_INVALID_ARGUMENT);
  EXPECT_THAT(status.message(), HasSubstr(std::string(because)));
  EXPECT_FALSE(Value::copy(view).ok());
}

TEST(Dtype, HasTheSizeAndTheNameOfNumPys) {
  const std::pair<std::string_view, std::size_t> expected[] = {
      {"any", 0},     {"bool", 1},    {"int8", 1},    {"int16", 2},  {"int32", 4},
      {"int64", 8},   {"uint8", 1},   {"uint16", 2},  {"uint32", 4}, {"uint64", 8},
      {"float16", 2}, {"float32", 4}, {"float64", 8}, {"unknown", 0}};
  for (std::uint32_t dtype = 0; dtype < std::size(expected); ++dtype) {
    EXPECT_EQ(dtype_name(dtype), expected[dtype].first);
    EXPECT_EQ(dtype_size(dtype), expected[dtype].second);
  }
  EXPECT_EQ(dtype_size(0xFFFFFFFF), 0u);
}

TEST(Shape, ReadsAsInPython) {
  EXPECT_EQ(shape_text({}), "()");
  EXPECT_EQ(shape_text(Shape{3}), "(3,)");
  EXPECT_EQ(shape_text(Shape{2, 4}), "(2, 4)");
  EXPECT_EQ(shape_text(Shape{-1, 0, 28}), "(n, 0, 28)");
}

TEST(Shape, CountsElementsAndBytes) {
  EXPECT_EQ(element_count({}), 1);
  EXPECT_EQ(element_count(Shape{2, 3, 4}), 24);
  EXPECT_EQ(element_count(Shape{2, 0, 4}), 0);
  EXPECT_EQ(element_count(Shape{kHuge}), kHuge);
  EXPECT_EQ(tensor_bytes(BENTO_F64, Shape{2, 3}), 48);
  EXPECT_EQ(tensor_bytes(BENTO_F16, {}), 2);
}

TEST(Shape, OverflowsToMinusOneEvenBesideAnExtentOfZero) {
  EXPECT_EQ(element_count(Shape{-1}), -1);
  EXPECT_EQ(element_count(Shape{0, -1}), -1);
  EXPECT_EQ(element_count(Shape{kHuge, 2}), -1);
  EXPECT_EQ(element_count(Shape{0, kHuge, kHuge}), -1);
  EXPECT_EQ(element_count(Shape{kHuge, kHuge, 0}), -1);
  EXPECT_EQ(tensor_bytes(BENTO_U8, Shape{kHuge}), kHuge);
  EXPECT_EQ(tensor_bytes(BENTO_F64, Shape{kHuge}), -1);
  EXPECT_EQ(tensor_bytes(BENTO_F64, Shape{0, kHuge}), -1);
  EXPECT_EQ(tensor_bytes(BENTO_F64 + 1, Shape{1}), -1);
  EXPECT_EQ(tensor_bytes(0, Shape{1}), -1);
}

TEST(Value, CopyOfEverySortIsTheSameAndAligned) {
  for (const Value& value : every_sort_of_value()) {
    const auto copy = Value::copy(value.view());
    ASSERT_TRUE(copy.ok()) << copy.status().message();
    expect_same(copy->view(), value.view());
    EXPECT_TRUE(is_aligned(copy->data.data()));
    EXPECT_TRUE(value.data.empty() || copy->data.data() != value.data.data());
  }
}

TEST(Value, CopyTakesAPluginsUnalignedData) {
  const std::string bytes = "_12345678";
  const std::int64_t shape[] = {1};
  bento_value view{};
  view.kind = BENTO_TENSOR;
  view.tensor = {BENTO_F64, 1, shape, nullptr, {bytes.data() + 1, 8}};
  const auto copy = Value::copy(view);
  ASSERT_TRUE(copy.ok());
  EXPECT_EQ(bytes_of(copy->view()), "12345678");
}

TEST(Value, RefusesAnUnknownKindOrDtype) {
  Value value = make_tensor(BENTO_F32, {2});
  for (const std::uint32_t kind : {0u, 4u, 0xFFFFFFFFu}) {
    bento_value view = value.view();
    view.kind = kind;
    expect_refused(view, "unknown kind");
  }
  for (const std::uint32_t dtype : {0u, 13u, 0xFFFFFFFFu}) {
    bento_value view = value.view();
    view.tensor.dtype = dtype;
    expect_refused(view, "unknown dtype");
  }
}

TEST(Value, RefusesDataThatIsNotAsLongAsItsShape) {
  const Value value = make_tensor(BENTO_F64, {2, 4});
  for (const std::size_t length : {std::size_t{0}, std::size_t{63}, std::size_t{65}}) {
    bento_value view = value.view();
    view.tensor.data.len = length;
    expect_refused(view, "float64 of shape (2, 4), which has 64");
  }
}

TEST(Value, RefusesShapesThatCannotBe) {
  const Value deep = make_tensor(BENTO_U8, Shape(kMaxDims + 1, 1));
  expect_refused(deep.view(), "33 dimensions");

  const Value value = make_tensor(BENTO_U8, {1});
  bento_value view = value.view();
  for (const Shape& shape : {Shape{-1}, Shape{kHuge, 8}, Shape{0, kHuge, kHuge}, Shape{kHuge}}) {
    view.tensor.shape = shape.data();
    view.tensor.ndim = static_cast<std::uint32_t>(shape.size());
    view.tensor.data.len = 0;
    expect_refused(view, "no tensor can be uint8 of shape");
  }
  view.tensor.shape = nullptr;
  expect_refused(view, "without a shape");
}

TEST(Value, RefusesMissingDataAndWhatIsBeyondTheLimits) {
  bento_value view{};
  view.kind = BENTO_BYTES;
  view.bytes = {nullptr, 1};
  expect_refused(view, "without its data");
  view.bytes = {&view, kMaxData + 1};
  expect_refused(view, "a value of 2147483649 bytes");
  const std::string long_label(kMaxLabel + 1, 'a');
  view.bytes = {};
  view.name = to_bento(long_label);
  expect_refused(view, "a name of 65537 bytes");
  std::swap(view.name, view.mime);
  expect_refused(view, "a MIME type of 65537 bytes");
}

// The element of a strided tensor that is the `index`th in C order.
std::string element_at(const bento_tensor& tensor, std::int64_t index) {
  std::int64_t offset = 0;
  for (std::uint32_t i = tensor.ndim; i-- > 0; index /= tensor.shape[i]) {
    offset += index % tensor.shape[i] * tensor.strides[i];
  }
  const auto size = static_cast<std::int64_t>(dtype_size(tensor.dtype));
  return {static_cast<const char*>(tensor.data.ptr) + offset * size,
          static_cast<std::size_t>(size)};
}

void expect_copied_to_c_order(const bento_value& view) {
  const auto copy = Value::copy(view);
  ASSERT_TRUE(copy.ok()) << copy.status().message();
  const std::int64_t count = element_count(shape_of(view.tensor));
  const std::size_t size = dtype_size(view.tensor.dtype);
  ASSERT_EQ(copy->data.size(), static_cast<std::size_t>(count) * size);
  EXPECT_EQ(copy->view().tensor.strides, nullptr);
  for (std::int64_t i = 0; i < count; ++i) {
    const auto at = static_cast<std::size_t>(i) * size;
    ASSERT_EQ(bytes_of(copy->view()).substr(at, size), element_at(view.tensor, i))
        << "element " << i;
  }
}

TEST(Value, CopyPutsAnyStridedTensorIntoCOrder) {
  Random random(1);
  for (int round = 0; round < 1000; ++round) {
    // A view of some elements of a tensor: every step-th along each axis, the axes in any order.
    const Shape whole_shape = random.shape(0, 5);
    const Value whole = make_tensor(random.dtype(), whole_shape);
    Shape shape = whole_shape, strides(whole_shape.size());
    std::int64_t stride = 1;
    for (std::size_t i = shape.size(); i-- > 0; stride *= whole_shape[i]) {
      const std::int64_t step = random.between(1, 3);
      strides[i] = stride * step;
      shape[i] = (shape[i] + step - 1) / step;
      if (random.between(0, 9) == 0) strides[i] = 0;
    }
    for (std::size_t i = 1; i < shape.size(); ++i) {
      const auto j = static_cast<std::size_t>(random.between(0, static_cast<std::int64_t>(i)));
      std::swap(shape[i], shape[j]);
      std::swap(strides[i], strides[j]);
    }
    bento_value view = whole.view();
    view.tensor.shape = shape.data();
    view.tensor.strides = strides.data();
    expect_copied_to_c_order(view);
  }
}

TEST(Value, RefusesStridesThatReachOutsideTheData) {
  const Value value = make_tensor(BENTO_I32, {2, 3});
  const std::pair<Shape, Shape> views[] = {{{2, 3}, {3, 2}},
                                           {{2, 3}, {4, 1}},
                                           {{2, 3}, {-3, 1}},
                                           {{7}, {1}},
                                           {{3, 2}, {kHuge, kHuge}},
                                           {{kHuge / 8, 2}, {8, 1}},
                                           {{3, 3}, {INT64_MAX / 2, INT64_MAX / 2}}};
  for (const auto& [shape, strides] : views) {
    bento_value view = value.view();
    view.tensor.ndim = static_cast<std::uint32_t>(shape.size());
    view.tensor.shape = shape.data();
    view.tensor.strides = strides.data();
    expect_refused(view, "");
  }
}

TEST(Value, RefusesABroadcastThatWouldFillTheMemory) {
  const Value value = make_tensor(BENTO_F64, {1});
  const std::int64_t shape[] = {1 << 20, 1 << 20}, strides[] = {0, 0};
  bento_value view = value.view();
  view.tensor.ndim = 2;
  view.tensor.shape = shape;
  view.tensor.strides = strides;
  expect_refused(view, "no tensor can be float64 of shape (1048576, 1048576)");
}

}  // namespace
}  // namespace bentohost::wire
