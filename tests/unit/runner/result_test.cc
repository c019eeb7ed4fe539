// How callers keep results: all that share a batch share the memory of its frame.
#include "runner/result.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "runner/batch_frame.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

class ResultTest : public testing::Test {
 protected:
  // A result frame with one tensor, as if it came from a pipe.
  void read(const wire::Value& value) {
    AlignedBuffer bytes;
    wire::FrameWriter frame(bytes, wire::FrameType::kResult, 1, 0);
    frame.value_count(1);
    frame.value(value.view());
    ASSERT_TRUE(frame.finish());
    for (std::size_t at = 0; at < bytes.size();) {
      const std::span<char> room = reader_.writable();
      const std::size_t n = std::min(room.size(), bytes.size() - at);
      std::memcpy(room.data(), bytes.data() + at, n);
      reader_.commit(n);
      at += n;
      const auto next = reader_.next();
      ASSERT_TRUE(next.ok());
      if ((*next).has_value()) read_ = **next;
    }
    ASSERT_TRUE(wire::decode_result(read_.body, decoded_).ok());
  }
  // Delivers it to calls with so many rows each, which keep what they get; then the pipe's memory
  // gets other contents.
  void deliver(const Rows& rows, std::int32_t axis = 0,
               std::vector<std::shared_ptr<const void>> claims = {}) {
    Batch batch;
    for (const std::uint32_t n : rows) {
      auto call = std::make_shared<Call>();
      call->rows = n;
      call->done = [this](const CallResult& result) {
        auto kept = result.keep();
        ASSERT_TRUE(kept.ok());
        kept_.push_back(*std::move(kept));
      };
      batch.rows += n;
      batch.calls.push_back(std::move(call));
    }
    plugin::MethodSpec method;
    method.batchable = true;
    method.axis_out = axis;
    ResultFrame frame(reader_, read_, std::move(claims));
    ASSERT_TRUE(deliver_batch(batch, decoded_, method, frame).ok());
    const std::span<char> room = reader_.writable();
    std::memset(room.data(), 'x', room.size());
  }
  const bento_value& kept(std::size_t call) const { return kept_[call].values()[0]; }

  wire::FrameReader reader_;
  wire::FrameReader::Frame read_{};
  wire::DecodedValues decoded_;
  std::vector<KeptResult> kept_;
};

TEST_F(ResultTest, IsOneCopyForAllCallersOfABatch) {
  wire::Value value = make_rows({1, 2, 3}, 2);
  value.name = "y";
  read(value);
  deliver({1, 2});
  EXPECT_EQ(values_of(kept(0)), (Values{1, 1}));
  EXPECT_EQ(values_of(kept(1)), (Values{2, 2, 3, 3}));
  EXPECT_EQ(kept(1).tensor.shape[0], 2);
  EXPECT_EQ(kept(1).tensor.shape[1], 2);
  EXPECT_EQ(to_view(kept(1).name), "y");
  EXPECT_EQ(kept(1).name.ptr, kept(0).name.ptr);
  EXPECT_EQ(kept(1).tensor.data.ptr, static_cast<const char*>(kept(0).tensor.data.ptr) + 16);
}

TEST_F(ResultTest, LivesAsLongAsAnyOfThem) {
  read(make_rows({1, 2}));
  deliver({1, 1});
  kept_.erase(kept_.begin());
  std::vector<KeptResult> moved = std::move(kept_);
  EXPECT_EQ(values_of(moved[0].values()[0]), Values{2});
}

TEST_F(ResultTest, OfOneCallKeepsTheShapeOfTheFrame) {
  read(make_rows({1, 2}));
  deliver({2});
  EXPECT_EQ(values_of(kept(0)), (Values{1, 2}));
  EXPECT_EQ(kept(0).tensor.shape[0], 2);
}

TEST_F(ResultTest, TakesTheMemoryThatTheReaderWouldFree) {
  read(make_rows({1, 2}, 100'000));
  const void* const where = decoded_.values[0].tensor.data.ptr;
  deliver({1, 1});
  EXPECT_EQ(kept(0).tensor.data.ptr, where) << "not copied";
  EXPECT_EQ(values_of(kept(1)), Values(100'000, 2));
}

TEST_F(ResultTest, CutAlongAnotherAxisBelongsToItsCaller) {
  wire::Value value = make_rows({1, 2, 3, 4, 5, 6});
  value.shape = {2, 3};
  read(value);
  deliver({1, 2}, 1);
  EXPECT_EQ(values_of(kept(0)), (Values{1, 4}));
  EXPECT_EQ(values_of(kept(1)), (Values{2, 3, 5, 6}));
}

TEST_F(ResultTest, HoldsTheArenasUntilTheLastCallerHasLetGo) {
  read(make_rows({1, 2}));
  auto claim = std::make_shared<int>(0);
  const std::weak_ptr<int> arena = claim;
  deliver({1, 1}, 0, {std::move(claim)});
  kept_.pop_back();
  EXPECT_FALSE(arena.expired());
  kept_.pop_back();
  EXPECT_TRUE(arena.expired());
}

TEST_F(ResultTest, CopiesWhatNobodyCanShare) {
  KeptResult kept;
  {
    const wire::Value value = make_rows({7});
    const bento_value view = value.view();
    kept = *CallResult{Status(), {&view, 1}}.keep();
  }
  EXPECT_EQ(values_of(kept.values()[0]), Values{7});
}

TEST_F(ResultTest, OfAFailedCallIsItsError) {
  const CallResult failed{Status(BENTO_NOT_FOUND, "no such flower"), {}};
  EXPECT_EQ(failed.keep().status().message(), "no such flower");
}

}  // namespace
}  // namespace bentohost::runner
