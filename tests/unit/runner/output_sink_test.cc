#include "runner/output_sink.h"

#include <gtest/gtest.h>

#include <cstring>

namespace bentohost::runner {
namespace {

class OutputSinkTest : public testing::Test {
 protected:
  OutputSinkTest() { error_.size = sizeof error_; }

  void* tensor(std::uint32_t dtype, const std::vector<std::int64_t>& shape) {
    return sink_.get()->tensor(sink_.get(), to_bento("y"), dtype,
                               static_cast<std::uint32_t>(shape.size()), shape.data(), &error_);
  }
  static bento_value bytes(std::string_view text) {
    bento_value value{};
    value.size = sizeof value;
    value.kind = BENTO_BYTES;
    value.bytes = {text.data(), text.size()};
    return value;
  }

  OutputSink sink_;
  bento_error error_{};
};

TEST_F(OutputSinkTest, GivesMemoryThatStaysAndIsAligned) {
  auto* first = static_cast<double*>(tensor(BENTO_F64, {1, 2}));
  ASSERT_NE(first, nullptr);
  first[0] = 1.5;
  first[1] = -2;
  for (int i = 0; i < 20; ++i) {
    auto* more = tensor(BENTO_I8, {3});
    ASSERT_NE(more, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(more) % kDataAlignment, 0u);
    std::memset(more, 0, 3);
  }
  const auto views = sink_.views();
  ASSERT_EQ(views.size(), 21u);
  EXPECT_EQ(views[0].tensor.data.ptr, first);
  EXPECT_EQ(views[0].tensor.data.len, 16u);
  EXPECT_EQ(views[0].tensor.shape[1], 2);
  EXPECT_EQ(to_view(views[0].name), "y");
}

TEST_F(OutputSinkTest, GivesMemoryForATensorWithoutElements) {
  EXPECT_NE(tensor(BENTO_F64, {0, 4}), nullptr);
  EXPECT_EQ(sink_.views()[0].tensor.data.len, 0u);
}

TEST_F(OutputSinkTest, RefusesTensorsThatCannotBe) {
  constexpr std::int64_t kHuge = std::int64_t{1} << 40;
  EXPECT_EQ(tensor(0, {1}), nullptr);
  EXPECT_EQ(tensor(BENTO_F64 + 1, {1}), nullptr);
  EXPECT_EQ(tensor(BENTO_F64, {-1}), nullptr);
  EXPECT_EQ(tensor(BENTO_F64, {kHuge}), nullptr);
  EXPECT_EQ(tensor(BENTO_F64, {kHuge, kHuge}), nullptr);
  EXPECT_EQ(tensor(BENTO_U8, std::vector<std::int64_t>(wire::kMaxDims + 1, 1)), nullptr);
  EXPECT_EQ(error_.code, BENTO_INVALID_ARGUMENT);
  EXPECT_TRUE(sink_.views().empty());
}

TEST_F(OutputSinkTest, CopiesValues) {
  std::string text = "hello";
  const bento_value value = bytes(text);
  EXPECT_EQ(sink_.get()->value(sink_.get(), &value, &error_), BENTO_OK);
  text.assign("xxxxx");
  const bento_bytes kept = sink_.views()[0].bytes;
  EXPECT_EQ(std::string(static_cast<const char*>(kept.ptr), kept.len), "hello");
}

TEST_F(OutputSinkTest, MakesCOrderOfStridedTensors) {
  const std::int32_t data[] = {1, 2, 3, 4};
  const std::int64_t shape[] = {2, 2}, strides[] = {1, 2};
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_TENSOR;
  value.tensor = {BENTO_I32, 2, shape, strides, {data, sizeof data}};
  ASSERT_EQ(sink_.get()->value(sink_.get(), &value, &error_), BENTO_OK);
  std::int32_t kept[4];
  std::memcpy(kept, sink_.views()[0].tensor.data.ptr, sizeof kept);
  EXPECT_EQ((std::vector<std::int32_t>(kept, kept + 4)), (std::vector<std::int32_t>{1, 3, 2, 4}));
}

constexpr auto kCount = [](void* owner) { ++*static_cast<int*>(owner); };

TEST_F(OutputSinkTest, HoldsWhatItIsGivenWithoutACopy) {
  int released = 0;
  const std::string text = "x";
  const bento_value given = bytes(text);
  EXPECT_EQ(sink_.get()->give(sink_.get(), &given, &released, kCount, &error_), BENTO_OK);
  EXPECT_EQ(sink_.views()[0].bytes.ptr, text.data());
  EXPECT_EQ(released, 0);
  sink_.clear();
  EXPECT_EQ(released, 1);
}

TEST_F(OutputSinkTest, ReleasesAtOnceWhatItCannotHold) {
  int released = 0;
  bento_value bad = bytes("x");
  bad.kind = 99;
  EXPECT_EQ(sink_.get()->give(sink_.get(), &bad, &released, kCount, &error_),
            BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(released, 1);
  bento_value json = bytes("{}");
  json.kind = BENTO_JSON;
  EXPECT_EQ(sink_.get()->give(sink_.get(), &json, &released, kCount, &error_), BENTO_OK);
  EXPECT_EQ(released, 2) << "copied, so that it cannot change";
  const std::int32_t data[] = {1, 2, 3, 4};
  const std::int64_t shape[] = {2, 2}, strides[] = {1, 2};
  bento_value strided = bytes("");
  strided.kind = BENTO_TENSOR;
  strided.tensor = {BENTO_I32, 2, shape, strides, {data, sizeof data}};
  EXPECT_EQ(sink_.get()->give(sink_.get(), &strided, &released, kCount, &error_), BENTO_OK);
  EXPECT_EQ(released, 3) << "copied into C order";
  EXPECT_EQ(sink_.size(), 2u);
}

// Memory of which there is one block.
class OneBlock final : public OutputMemory {
 public:
  Block take(std::size_t bytes) override {
    if (is_taken || bytes > sizeof data) return {};
    is_taken = true;
    return {5, data};
  }
  void put_back(std::uint32_t arena) override {
    EXPECT_EQ(arena, 5u);
    is_taken = false;
  }
  alignas(64) char data[64] = {};
  bool is_taken = false;
};

TEST(OutputSinkInArenas, PutsThereWhatFitsAndBackWhatWasNotHandedOver) {
  OneBlock memory;
  OutputSink sink(&memory);
  const std::int64_t shape[] = {2};
  const auto make = [&] {
    return sink.get()->tensor(sink.get(), {}, BENTO_F64, 1, shape, nullptr);
  };
  EXPECT_EQ(make(), memory.data);
  EXPECT_NE(make(), memory.data) << "from the heap";
  EXPECT_EQ(sink.arena_of(0), 5u);
  EXPECT_EQ(sink.arena_of(1), 0u);
  EXPECT_EQ(sink.views()[0].tensor.data.ptr, memory.data);
  EXPECT_EQ(sink.views()[0].tensor.data.len, 16u);
  sink.clear();
  EXPECT_FALSE(memory.is_taken);
  (void)make();
  sink.hand_over_arena(0);
  sink.clear();
  EXPECT_TRUE(memory.is_taken) << "it is the host's now";
}

TEST(OutputSinkInArenas, MovesThereWhatWasWrittenElsewhere) {
  OneBlock memory;
  OutputSink sink(&memory);
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  value.bytes = {"hello", 5};
  ASSERT_EQ(sink.get()->value(sink.get(), &value, nullptr), BENTO_OK);
  sink.move_to_arena(0);
  sink.move_to_arena(0);
  EXPECT_EQ(sink.arena_of(0), 5u);
  const bento_bytes moved = sink.views()[0].bytes;
  EXPECT_EQ(std::string(static_cast<const char*>(moved.ptr), moved.len), "hello");
  EXPECT_EQ(moved.ptr, memory.data);
}

TEST_F(OutputSinkTest, RefusesMoreThan64Outputs) {
  const bento_value value = bytes("x");
  for (int i = 0; i < 64; ++i)
    ASSERT_EQ(sink_.get()->value(sink_.get(), &value, &error_), BENTO_OK);
  EXPECT_EQ(sink_.get()->value(sink_.get(), &value, &error_), BENTO_INVALID_ARGUMENT);
  EXPECT_EQ(tensor(BENTO_U8, {1}), nullptr);
  sink_.clear();
  EXPECT_EQ(sink_.get()->value(sink_.get(), &value, &error_), BENTO_OK);
}

TEST(OutputSinkOfABatch, HoldsTheCallersThatFailAndForgetsThem) {
  OutputSink sink;
  bento_error why{}, error{};
  why.size = error.size = sizeof why;
  why.code = BENTO_INVALID_ARGUMENT;
  why.http_status = 422;
  std::strcpy(why.message, "negative");
  const auto fail = [&](std::size_t caller) {
    return sink.get()->fail(sink.get(), caller, &why, &error);
  };
  EXPECT_EQ(fail(0), BENTO_INVALID_ARGUMENT) << "no batch";
  EXPECT_EQ(error.http_status, 500u) << "the plugin's mistake";

  sink.begin_batch(3, 6);
  EXPECT_EQ(fail(2), BENTO_OK);
  EXPECT_EQ(fail(0), BENTO_OK);
  std::strcpy(why.message, "another reason");
  EXPECT_EQ(fail(2), BENTO_OK);
  ASSERT_EQ(sink.failed().size(), 2u);
  EXPECT_EQ(sink.failed().at(2).message(), "negative") << "the first reason counts";
  EXPECT_EQ(sink.failed().at(0).http_status(), 422u);
  EXPECT_EQ(fail(3), BENTO_INVALID_ARGUMENT);
  EXPECT_NE(std::string(error.message).find("no caller 3 in this batch of 3"), std::string::npos);
  why.code = BENTO_OK;
  EXPECT_EQ(fail(1), BENTO_INVALID_ARGUMENT) << "no error";

  sink.clear();
  EXPECT_TRUE(sink.failed().empty());
  why.code = BENTO_INTERNAL;
  EXPECT_EQ(fail(0), BENTO_INVALID_ARGUMENT) << "that batch is over";
}

TEST(OutputSinkOfABatch, TakesAsManyValuesAsItsCallersHave) {
  OutputSink sink;
  sink.begin_batch(100, 200);
  bento_value value{};
  value.size = sizeof value;
  value.kind = BENTO_BYTES;
  for (int i = 0; i < 200; ++i) {
    ASSERT_EQ(sink.get()->value(sink.get(), &value, nullptr), BENTO_OK) << i;
  }
  bento_error error{};
  error.size = sizeof error;
  EXPECT_EQ(sink.get()->value(sink.get(), &value, &error), BENTO_INVALID_ARGUMENT);
  EXPECT_STREQ(error.message, "more than 200 outputs");
}

}  // namespace
}  // namespace bentohost::runner
