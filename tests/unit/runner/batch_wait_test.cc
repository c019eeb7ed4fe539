// Waiting for a fuller batch: when an idle worker waits, and when it does not.
#include <gtest/gtest.h>

#include "runner/batch_queue.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{1h};
constexpr Duration kWait = 500us;

CallPtr call(std::uint32_t rows = 1, std::int64_t columns = 4) {
  auto made = std::make_shared<Call>();
  made->rows = rows;
  made->enqueued = kNow;
  wire::Value& value = made->inputs.emplace_back();
  value.kind = BENTO_TENSOR;
  value.shape = {rows, columns};
  return made;
}

BatchQueue waiting_queue(bool lists = false) {
  BatchPolicy policy;
  policy.batchable = true;
  policy.lists = lists;
  policy.max_batch = 4;
  policy.max_wait = kWait;
  return BatchQueue(policy);
}

TEST(BatchWait, LastsFromTheFirstLookOfAnIdleWorker) {
  BatchQueue queue = waiting_queue();
  queue.push(call());
  EXPECT_EQ(queue.ripe_at(kNow), kNow + kWait);
  queue.push(call());
  EXPECT_EQ(queue.ripe_at(kNow + 200us), kNow + kWait) << "a later call does not begin it anew";
  EXPECT_EQ(queue.ripe_at(kNow + kWait), kNow + kWait);
  std::vector<CallPtr> late;
  EXPECT_EQ(queue.take(kNow + kWait, 1, late).size(), 2u);
  queue.push(call());
  EXPECT_EQ(queue.ripe_at(kNow + 3ms), kNow + 3ms + kWait) << "that one was for the other batch";
}

TEST(BatchWait, EndsWhenTheBatchCannotGrow) {
  BatchQueue queue = waiting_queue();
  queue.push(call(3));
  EXPECT_GT(queue.ripe_at(kNow), kNow);
  queue.push(call(1));
  EXPECT_EQ(queue.ripe_at(kNow), kNow) << "full";
  std::vector<CallPtr> late;
  (void)queue.take(kNow, 1, late);
  queue.push(call(3));
  queue.push(call(2));
  EXPECT_EQ(queue.ripe_at(kNow), kNow) << "the next call does not fit";
  (void)queue.take(kNow, 1, late);
  EXPECT_GT(queue.ripe_at(kNow), kNow) << "of the call that is left";
  queue.push(call(1, 5));
  EXPECT_EQ(queue.ripe_at(kNow), kNow) << "the next call cannot be joined";
}

TEST(BatchWait, IsNotForCallsThatTravelAloneOrAreDropped) {
  BatchQueue queue = waiting_queue();
  const CallPtr alone = call();
  alone->alone = true;
  queue.push_front(alone);
  EXPECT_EQ(queue.ripe_at(kNow), kNow);
  std::vector<CallPtr> late;
  (void)queue.take(kNow, 1, late);
  const CallPtr cancelled = call();
  cancelled->abandoned = true;
  queue.push(cancelled);
  EXPECT_EQ(queue.ripe_at(kNow), kNow);
}

TEST(BatchWait, LeavesTimeBeforeTheDeadline) {
  BatchQueue queue = waiting_queue();
  const CallPtr hurried = call();
  hurried->deadline = kNow + 2 * kWait + 100us;
  queue.push(hurried);
  EXPECT_EQ(queue.ripe_at(kNow), kNow + 100us);
}

TEST(BatchWait, IsNotSharedAmongIdleWorkers) {
  BatchQueue queue = waiting_queue();
  for (int i = 0; i < 4; ++i) queue.push(call());
  std::vector<CallPtr> late;
  EXPECT_EQ(queue.take(kNow, 3, late).size(), 4u);
}

TEST(BatchWait, CountsCallersOfLists) {
  BatchQueue queue = waiting_queue(/*lists=*/true);
  for (std::int64_t i = 0; i < 3; ++i) queue.push(call(1, i));
  EXPECT_GT(queue.ripe_at(kNow), kNow);
  queue.push(call(1, 9));
  EXPECT_EQ(queue.ripe_at(kNow), kNow);
  std::vector<CallPtr> late;
  EXPECT_EQ(queue.take(kNow, 1, late).size(), 4u) << "whatever their shapes";
}

// Calls that lack an optional input go with those that lack it, too.
TEST(BatchQueueOfOptionalInputs, JoinsWhatIsThereInBoth) {
  BatchPolicy policy;
  policy.batchable = true;
  policy.max_batch = 10;
  BatchQueue queue(policy);
  const auto with = [](bool has_second) {
    const CallPtr made = call();
    if (has_second) made->inputs.push_back(made->inputs[0]);
    if (!has_second) made->inputs.emplace_back();
    return made;
  };
  const auto a = with(true), b = with(true), c = with(false), d = with(false);
  for (const auto& each : {a, b, c, d}) queue.push(each);
  std::vector<CallPtr> late;
  EXPECT_EQ(queue.take(kNow, 1, late), (std::vector{a, b}));
  EXPECT_EQ(queue.take(kNow, 1, late), (std::vector{c, d}));
}

plugin::RunnerSpec make_waiting_spec() {
  plugin::RunnerSpec spec = make_pool_spec();
  spec.methods[kSafe].max_batch_wait_us = 500;
  return spec;
}

class PoolThatWaits : public PoolFixture {
 protected:
  PoolThatWaits() : PoolFixture(make_pool_options(), make_waiting_spec()) {}
  void SetUp() override {
    PoolFixture::SetUp();
    make_ready();
  }
  // Turns until the worker has a call: the timer is the system's.
  Rows await_call() {
    for (int i = 0; i < 10000; ++i) {
      if (Rows rows = receive_call(); !rows.empty()) return rows;
      loop_.step(1ms);
    }
    return {};
  }
};

TEST_F(PoolThatWaits, SendsAFullBatchAtOnceAndOthersWhenTheTimeHasCome) {
  Caller a, b, c;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  turn();
  EXPECT_TRUE(receive_call().empty()) << "it waits";
  ASSERT_TRUE(submit(b, kSafe, {2, 3, 4}).ok());
  turn();
  EXPECT_EQ(receive_call(), (Rows{1, 3}));
  answer();
  ASSERT_TRUE(submit(c, kSafe, {5}).ok());
  turn();
  EXPECT_TRUE(receive_call().empty());
  clock_.advance(500us);
  EXPECT_EQ(await_call(), (Rows{1}));
  answer();
  EXPECT_EQ(c.values, (Values{5}));
}

TEST_F(PoolThatWaits, DoesNotHoldUpAnotherMethod) {
  Caller waits, does_not;
  ASSERT_TRUE(submit(waits, kSafe, {1}).ok());
  ASSERT_TRUE(submit(does_not, kFragile, {2}).ok());
  turn();
  EXPECT_EQ(receive_call(), (Rows{1}));
  answer();
  EXPECT_EQ(does_not.values, (Values{2}));
  clock_.advance(500us);
  EXPECT_EQ(await_call(), (Rows{1}));
  answer();
  EXPECT_EQ(waits.values, (Values{1}));
}

}  // namespace
}  // namespace bentohost::runner
