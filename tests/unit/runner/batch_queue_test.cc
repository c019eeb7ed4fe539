#include "runner/batch_queue.h"

#include <gtest/gtest.h>

#include <random>

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

const TimePoint kNow{1h};

CallPtr call(std::uint32_t rows, std::int64_t columns = 4) {
  auto made = std::make_shared<Call>();
  made->rows = rows;
  made->enqueued = kNow;
  wire::Value& value = made->inputs.emplace_back();
  value.kind = BENTO_TENSOR;
  value.dtype = BENTO_F64;
  value.shape = {rows, columns};
  return made;
}

BatchPolicy up_to(std::uint32_t max_batch) {
  BatchPolicy policy;
  policy.batchable = true;
  policy.max_batch = max_batch;
  return policy;
}

std::vector<CallPtr> take(BatchQueue& queue, TimePoint now = kNow) {
  std::vector<CallPtr> late;
  return queue.take(now, 1, late);
}

TEST(BatchQueue, TakesAllThatFitsInTheOrderItCame) {
  BatchQueue queue(up_to(10));
  const auto a = call(4), b = call(6), c = call(1);
  for (const auto& each : {a, b, c}) EXPECT_TRUE(queue.push(each));
  EXPECT_EQ(take(queue), (std::vector{a, b}));
  EXPECT_EQ(take(queue), (std::vector{c}));
  EXPECT_TRUE(take(queue).empty());
}

TEST(BatchQueue, DoesNotLetASmallCallOvertakeALargeOne) {
  BatchQueue queue(up_to(10));
  const auto a = call(8), b = call(8), c = call(1);
  for (const auto& each : {a, b, c}) queue.push(each);
  EXPECT_EQ(take(queue), (std::vector{a}));
  EXPECT_EQ(take(queue), (std::vector{b, c}));
}

TEST(BatchQueue, NeverExceedsMaxBatchAndLosesNothing) {
  std::mt19937 random(7);
  BatchQueue queue(up_to(16));
  std::size_t pushed = 0, taken = 0;
  for (int i = 0; i < 5000; ++i) {
    if (random() % 3 != 0) pushed += queue.push(call(random() % 17)) ? 1 : 0;
    if (random() % 3 != 0) continue;
    std::uint32_t rows = 0;
    for (const CallPtr& each : take(queue)) {
      rows += each->rows;
      ++taken;
    }
    EXPECT_LE(rows, 16u);
  }
  EXPECT_EQ(taken + queue.size(), pushed);
}

TEST(BatchQueue, JoinsOnlyWhatCanBeJoined) {
  BatchQueue queue(up_to(10));
  const auto a = call(1, 4), b = call(1, 5), c = call(1, 5);
  c->inputs[0].dtype = BENTO_F32;
  for (const auto& each : {a, b, c}) queue.push(each);
  EXPECT_EQ(take(queue), (std::vector{a}));
  EXPECT_EQ(take(queue), (std::vector{b}));
  EXPECT_EQ(take(queue), (std::vector{c}));
}

TEST(BatchQueue, LetsACallThatFailedInCompanyTravelAlone) {
  BatchQueue queue(up_to(10));
  const auto a = call(1), b = call(1), c = call(1);
  b->alone = true;
  for (const auto& each : {a, b, c}) queue.push(each);
  EXPECT_EQ(take(queue), (std::vector{a}));
  EXPECT_EQ(take(queue), (std::vector{b}));
  EXPECT_EQ(take(queue), (std::vector{c}));
}

TEST(BatchQueue, TakesOneByOneWhatIsNotBatchable) {
  BatchQueue queue(BatchPolicy{});
  const auto a = call(1), b = call(1);
  for (const auto& each : {a, b}) queue.push(each);
  EXPECT_EQ(take(queue), (std::vector{a}));
  EXPECT_EQ(take(queue), (std::vector{b}));
}

TEST(BatchQueue, RefusesWhatDoesNotFitButNotARetry) {
  BatchPolicy policy = up_to(10);
  policy.max_queue = 1;
  BatchQueue queue(policy);
  const auto retry = call(1);
  EXPECT_TRUE(queue.push(call(1)));
  EXPECT_FALSE(queue.push(call(1)));
  queue.push_front(retry);
  EXPECT_EQ(take(queue).front(), retry);
}

TEST(BatchQueue, GivesEachIdleWorkerItsShare) {
  BatchQueue queue(up_to(10));
  const auto a = call(1), b = call(1), c = call(1);
  for (const auto& each : {a, b, c}) queue.push(each);
  std::vector<CallPtr> dropped;
  EXPECT_EQ(queue.take(kNow, 2, dropped), (std::vector{a, b}));
  EXPECT_EQ(queue.take(kNow, 1, dropped), (std::vector{c}));
}

TEST(BatchQueue, HandsOutNeitherTheLateNorTheUnwanted) {
  BatchPolicy policy = up_to(10);
  policy.max_latency = 50ms;
  BatchQueue queue(policy);
  const auto abandoned = call(1), cancelled = call(1), past = call(1), old = call(1),
             good = call(1);
  abandoned->abandoned = true;
  cancelled->cancelled = std::make_shared<std::atomic<bool>>(true);
  past->deadline = kNow + 1ms;
  old->enqueued = kNow - 49ms;
  for (const auto& each : {abandoned, cancelled, past, old, good}) queue.push(each);
  std::vector<CallPtr> late;
  EXPECT_EQ(queue.take(kNow + 2ms, 1, late), (std::vector{good}));
  EXPECT_EQ(late, (std::vector{abandoned, cancelled, past, old}));
}

TEST(BatchQueue, MaxLatencyIsOfTheWaitForTheFirstBatchOnly) {
  BatchPolicy policy = up_to(10);
  policy.max_latency = 10ms;
  BatchQueue queue(policy);
  const auto again = call(1), expired = call(1);
  again->alone = expired->alone = true;
  expired->deadline = kNow + 15ms;
  queue.push_front(expired);
  queue.push_front(again);
  std::vector<CallPtr> late;
  queue.expire(kNow + 20ms, late);
  EXPECT_EQ(late, std::vector{expired});
  EXPECT_EQ(take(queue, kNow + 20ms), std::vector{again});
}

TEST(BatchQueue, ExpiresWithoutAWorker) {
  BatchQueue queue(up_to(10));
  const auto a = call(1), b = call(1);
  a->deadline = kNow + 1s;
  b->deadline = kNow + 2s;
  for (const auto& each : {a, b}) queue.push(each);
  std::vector<CallPtr> late;
  queue.expire(kNow + 1s, late);
  EXPECT_EQ(late, (std::vector{a}));
  EXPECT_EQ(queue.size(), 1u);
}

TEST(BatchQueue, CountsTheBytesOfAllThatWaitsHoweverItComesAndGoes) {
  BatchPolicy policy = up_to(4);
  policy.max_queue_bytes = 100;
  BatchQueue queue(policy);
  const auto of = [](std::size_t bytes) {
    const auto made = call(1);
    made->bytes = bytes;
    return made;
  };
  EXPECT_TRUE(queue.has_room(1, 100));
  EXPECT_FALSE(queue.has_room(1, 101));
  const auto gone = of(40);
  EXPECT_TRUE(queue.push(of(60)) && queue.push(gone));
  EXPECT_FALSE(queue.push(of(1)));
  queue.push_front(of(50));
  EXPECT_EQ(queue.bytes(), 150u);
  EXPECT_FALSE(queue.has_room(1, 0)) << "it is fuller than full";
  gone->abandoned = true;
  std::vector<CallPtr> dropped;
  queue.expire(kNow, dropped);
  EXPECT_EQ(queue.bytes(), 110u);
  EXPECT_EQ(take(queue).size(), 2u);
  EXPECT_EQ(queue.bytes(), 0u);
  EXPECT_TRUE(queue.push(of(100)));
  EXPECT_EQ(queue.take_all().size(), 1u);
  EXPECT_EQ(queue.bytes(), 0u);
}

}  // namespace
}  // namespace bentohost::runner
