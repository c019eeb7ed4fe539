// rows_of, concat and slice of wire/value.h.
#include <gmock/gmock.h>

#include "unit/wire/samples.h"
#include "wire/value.h"

namespace bentohost::wire {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kHuge = std::int64_t{1} << 62;

Result<Value> join(const std::vector<Value>& parts, std::int32_t axis) {
  std::vector<bento_value> views;
  for (const Value& part : parts) views.push_back(part.view());
  return concat(views, axis);
}

void expect_not_joined(const std::vector<Value>& parts, std::int32_t axis,
                       const std::string& because) {
  const auto joined = join(parts, axis);
  EXPECT_EQ(joined.status().code(), BENTO_INVALID_ARGUMENT);
  EXPECT_THAT(joined.status().message(), HasSubstr(because));
}

TEST(RowsOf, IsTheExtentOfTheAxis) {
  const Value value = make_tensor(BENTO_F32, {2, 0, 7});
  EXPECT_EQ(*rows_of(value.view(), 0), 2);
  EXPECT_EQ(*rows_of(value.view(), 1), 0);
  EXPECT_EQ(*rows_of(value.view(), 2), 7);
}

TEST(RowsOf, RefusesAnAxisThatIsNotThere) {
  const Value value = make_tensor(BENTO_F32, {2, 7}), scalar = make_tensor(BENTO_F32, {});
  for (const std::int32_t axis : {-1, 2, INT32_MIN, INT32_MAX}) {
    EXPECT_EQ(rows_of(value.view(), axis).status().code(), BENTO_INVALID_ARGUMENT);
    EXPECT_EQ(rows_of(scalar.view(), axis).status().code(), BENTO_INVALID_ARGUMENT);
  }
  EXPECT_EQ(rows_of(scalar.view(), 0).status().message(),
            "an array of shape () has no axis 0, and so no rows for a batch");
  EXPECT_FALSE(rows_of(make_blob(BENTO_JSON, "[1]").view(), 0).ok());
}

TEST(Concat, PutsTheRowsOfEachBlockSideBySide) {
  Value a = make_tensor(BENTO_U8, {2, 2}, "x"), b = make_tensor(BENTO_U8, {2, 1}, "y");
  std::memcpy(a.data.data(), "abcd", 4);
  std::memcpy(b.data.data(), "XY", 2);
  const auto joined = join({a, b}, 1);
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(bytes_of(joined->view()), "abXcdY");
  EXPECT_EQ(joined->shape, (Shape{2, 3}));
  EXPECT_EQ(joined->name, "x");
  EXPECT_TRUE(is_aligned(joined->data.data()));
}

TEST(Concat, OfAllSlicesIsTheWholeAlongEveryAxis) {
  Random random(2);
  for (int round = 0; round < 1000; ++round) {
    const Value whole = make_tensor(random.dtype(), random.shape(1, 5), "x");
    for (std::size_t axis = 0; axis < whole.shape.size(); ++axis) {
      const auto at = static_cast<std::int32_t>(axis);
      std::vector<Value> parts;
      std::int64_t first = 0;
      do {
        const std::int64_t count = random.between(0, whole.shape[axis] - first);
        parts.push_back(slice(whole.view(), at, first, count));
        ASSERT_TRUE(check_value(parts.back().view()).ok());
        ASSERT_EQ(*rows_of(parts.back().view(), at), count);
        first += count;
      } while (first < whole.shape[axis]);
      const auto joined = join(parts, at);
      ASSERT_TRUE(joined.ok()) << joined.status().message();
      expect_same(joined->view(), whole.view());
    }
  }
}

TEST(Slice, TakesTheRowsInTheMiddle) {
  Value whole = make_tensor(BENTO_U8, {2, 4});
  std::memcpy(whole.data.data(), "abcdefgh", 8);
  EXPECT_EQ(bytes_of(slice(whole.view(), 1, 1, 2).view()), "bcfg");
  EXPECT_EQ(bytes_of(slice(whole.view(), 0, 1, 1).view()), "efgh");
  const Value none = slice(whole.view(), 1, 4, 0);
  EXPECT_EQ(none.shape, (Shape{2, 0}));
  EXPECT_TRUE(none.data.empty());
}

TEST(Concat, TakesPartsWithoutRows) {
  const Value none = make_tensor(BENTO_F64, {0, 4}), some = make_tensor(BENTO_F64, {3, 4});
  const auto joined = join({none, some, none}, 0);
  ASSERT_TRUE(joined.ok());
  expect_same(joined->view(), some.view());
  EXPECT_EQ(join({none, none}, 0)->shape, (Shape{0, 4}));
}

TEST(Concat, OfNoElementsDoesNotWalkHugeExtents) {
  const Value part = make_tensor(BENTO_U8, {kHuge, 0});
  const auto joined = join({part, part}, 1);
  ASSERT_TRUE(joined.ok());
  EXPECT_EQ(joined->shape, (Shape{kHuge, 0}));
  EXPECT_EQ(slice(part.view(), 1, 0, 0).shape, (Shape{kHuge, 0}));
}

TEST(Concat, RefusesPartsThatDoNotAgree) {
  const Value first = make_tensor(BENTO_F64, {2, 4});
  expect_not_joined({first, make_tensor(BENTO_F32, {2, 4})}, 0,
                    "cannot join float32 of shape (2, 4) to float64 of shape (2, 4)");
  expect_not_joined({first, make_tensor(BENTO_F64, {2, 5})}, 0, "along axis 0");
  expect_not_joined({first, make_tensor(BENTO_F64, {3, 4})}, 1, "along axis 1");
  expect_not_joined({first, make_tensor(BENTO_F64, {8})}, 0, "cannot join");
  expect_not_joined({first, make_tensor(BENTO_F64, {2, 4, 1})}, 0, "cannot join");
  expect_not_joined({first, make_blob(BENTO_BYTES, "raw")}, 0, "only tensors");
  expect_not_joined({make_blob(BENTO_BYTES, "raw"), first}, 0, "a tensor is needed");
  expect_not_joined({first}, 2, "no axis 2");
  expect_not_joined({first}, -1, "no axis -1");
  expect_not_joined({make_tensor(BENTO_F64, {})}, 0, "no axis 0");
  expect_not_joined({}, 0, "nothing to join");
}

TEST(Concat, RefusesMoreThanAValueCanHold) {
  expect_not_joined({make_tensor(BENTO_U8, {kHuge, 0}), make_tensor(BENTO_U8, {kHuge, 0})}, 0,
                    "too many rows");
  // The data is never read: the size is refused.
  const Value value = make_tensor(BENTO_U8, {1});
  const std::int64_t shape[] = {kMaxData};
  bento_value view = value.view();
  view.tensor.shape = shape;
  view.tensor.data.len = kMaxData;
  const bento_value parts[] = {view, view};
  EXPECT_EQ(concat(parts, 0).status().message(),
            "the joined tensor would be of shape (4294967296,)");
}

TEST(Concat, RefusesStridedAndBrokenParts) {
  const Value value = make_tensor(BENTO_F64, {2, 2});
  const std::int64_t strides[] = {1, 2};
  bento_value parts[] = {value.view(), value.view()};
  parts[1].tensor.strides = strides;
  EXPECT_EQ(concat(parts, 0).status().message(), "a strided tensor cannot be joined");
  parts[1] = value.view();
  parts[1].tensor.data.len -= 8;
  EXPECT_EQ(concat(parts, 0).status().code(), BENTO_INVALID_ARGUMENT);
}

}  // namespace
}  // namespace bentohost::wire
