// The scheduler by hand: no threads, no workers, no pipes. The time is an argument, and failures
// are what it returns.
#include "runner/batch_scheduler.h"

#include <gmock/gmock.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>

#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const TimePoint kNow{1h};
using Calls = std::vector<CallPtr>;
using BatchPtr = std::shared_ptr<const Batch>;

class BatchSchedulerTest : public testing::Test {
 protected:
  explicit BatchSchedulerTest(plugin::RunnerSpec spec = make_pool_spec(),
                              BatchScheduler::Limits limits = {.max_queue = 8})
      : spec_(std::move(spec)), scheduler_(spec_, limits, {counts(kSafe), counts(kFragile)}) {}

  observe::RunnerMethodMetrics counts(std::uint32_t method) {
    return metrics_.runner_method({"svc", "clf"}, spec_.methods[method].name, 4);
  }
  static CallPtr make_call(std::uint32_t rows = 1, TimePoint deadline = kNow + 24h) {
    auto call = std::make_shared<Call>();
    call->inputs.push_back(make_rows(Values(rows)));
    call->rows = rows;
    call->bytes = call->inputs[0].data.size();
    call->deadline = deadline;
    return call;
  }
  CallPtr push(std::uint32_t method = kSafe, std::uint32_t rows = 1,
               TimePoint deadline = kNow + 24h) {
    auto call = make_call(rows, deadline);
    EXPECT_TRUE(scheduler_.push(method, call, kNow).ok());
    return call;
  }
  BatchPtr next(std::size_t idle_workers = 1, TimePoint now = kNow) {
    return scheduler_.next_batch(now, idle_workers, failures_);
  }
  Calls next_calls(std::size_t idle_workers = 1, TimePoint now = kNow) {
    const BatchPtr batch = next(idle_workers, now);
    return batch == nullptr ? Calls() : batch->calls;
  }
  // What calls have failed since it was last asked; each with its status, in any order.
  Calls failed(bentohost::Status* status = nullptr) {
    Calls calls;
    for (const Failure& failure : std::exchange(failures_, {})) {
      calls.insert(calls.end(), failure.calls.begin(), failure.calls.end());
      if (status != nullptr) *status = failure.status;
    }
    return calls;
  }

  const plugin::RunnerSpec spec_;
  observe::Metrics metrics_{"test"};
  BatchScheduler scheduler_;
  Failures failures_;
  Status status_;
};

// ---- batches and turns

TEST_F(BatchSchedulerTest, MakesABatchOfWhatFitsInTheOrderItCame) {
  const auto a = push(kSafe, 1), b = push(kSafe, 3), c = push(kSafe, 1);
  const BatchPtr batch = next();
  ASSERT_NE(batch, nullptr);
  EXPECT_THAT(batch->calls, ElementsAre(a, b));
  EXPECT_EQ(batch->rows, 4u);
  EXPECT_EQ(batch->method, kSafe);
  EXPECT_EQ(batch->sent, kNow);
  const BatchPtr rest = next();
  ASSERT_NE(rest, nullptr);
  EXPECT_THAT(rest->calls, ElementsAre(c));
  EXPECT_NE(rest->id, batch->id);
  EXPECT_EQ(next(), nullptr);
}

TEST_F(BatchSchedulerTest, GivesABatchTheLastDeadlineOfItsCalls) {
  for (const Duration time : {2h, 5h, 3h}) push(kSafe, 1, kNow + time);
  EXPECT_EQ(next()->last_deadline, kNow + 5h);
  push(kSafe, 1, kNow + 2h);
  push(kSafe, 1, kNoDeadline);
  EXPECT_EQ(next()->last_deadline, kNoDeadline);
}

TEST_F(BatchSchedulerTest, LetsMethodsTakeTurnsHoweverLongTheirQueues) {
  for (int i = 0; i < 3; ++i) push(kSafe, 4);
  for (int i = 0; i < 2; ++i) push(kFragile, 4);
  std::vector<std::uint32_t> turns;
  while (const BatchPtr batch = next()) turns.push_back(batch->method);
  EXPECT_THAT(turns, ElementsAre(kSafe, kFragile, kSafe, kFragile, kSafe));
}

TEST_F(BatchSchedulerTest, PassesTheTurnOfAMethodWhoseCallsAreAllDropped) {
  const auto gone = push(kSafe);
  gone->abandoned = true;
  const auto good = push(kFragile);
  EXPECT_THAT(next_calls(), ElementsAre(good));
  EXPECT_THAT(failed(), ElementsAre(gone));
}

TEST_F(BatchSchedulerTest, GivesEachIdleWorkerItsShare) {
  const auto a = push(), b = push(), c = push(), d = push();
  EXPECT_THAT(next_calls(3), ElementsAre(a, b));
  EXPECT_THAT(next_calls(2), ElementsAre(c));
  EXPECT_THAT(next_calls(1), ElementsAre(d));
}

// ---- admission

TEST_F(BatchSchedulerTest, RefusesMoreThanAQueueHolds) {
  for (int i = 0; i < 8; ++i) push(kSafe);
  const Status full = scheduler_.push(kSafe, make_call(), kNow);
  EXPECT_EQ(full.http_status(), 503u);
  EXPECT_THAT(full.message(), HasSubstr("overloaded: 8 calls of safe are waiting, with 64 bytes"));
  EXPECT_EQ(scheduler_.room_for(kSafe, 1, 0).http_status(), 503u);
  EXPECT_TRUE(scheduler_.room_for(kFragile, 8, 0).ok()) << "each method has a queue of its own";
  EXPECT_EQ(scheduler_.room_for(kFragile, 9, 0).http_status(), 413u) << "it never has room";
}

class SmallBytesTest : public BatchSchedulerTest {
 protected:
  SmallBytesTest()
      : BatchSchedulerTest(make_pool_spec(), {.max_queue = 8, .max_queue_bytes = 20}) {}
};

TEST_F(SmallBytesTest, RefusesMoreBytesThanAQueueHolds) {
  push();
  EXPECT_TRUE(scheduler_.room_for(kSafe, 1, 12).ok());
  EXPECT_EQ(scheduler_.room_for(kSafe, 1, 13).http_status(), 503u);
  const Status never = scheduler_.room_for(kSafe, 1, 21);
  EXPECT_EQ(never.http_status(), 413u);
  EXPECT_THAT(never.message(), HasSubstr("it has 21 bytes, and --max-queue-bytes allows 20"));
  (void)next();
  EXPECT_TRUE(scheduler_.room_for(kSafe, 1, 20).ok());
}

TEST_F(BatchSchedulerTest, ShowsHowMuchIsWaiting) {
  push(kSafe, 2);
  push(kSafe, 3);
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 2);
  EXPECT_EQ(counts(kSafe).queue_bytes->Value(), 40);
  (void)next();
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 1);
  EXPECT_EQ(counts(kSafe).queue_bytes->Value(), 24);
}

// ---- drops

TEST_F(BatchSchedulerTest, DropsWhatNobodyWantsWhenItsTurnComes) {
  const auto gone = push(), good = push();
  gone->cancelled = std::make_shared<std::atomic<bool>>(true);
  EXPECT_THAT(next_calls(), ElementsAre(good));
  EXPECT_THAT(failed(&status_), ElementsAre(gone));
  EXPECT_EQ(status_.code(), BENTO_CANCELLED);
  EXPECT_TRUE(gone->finished);
  EXPECT_EQ(counts(kSafe).calls_failed->Value(), 1);
}

TEST_F(BatchSchedulerTest, DropsWhatIsPastItsDeadline) {
  const auto late = push(kSafe, 1, kNow + 10s), good = push();
  EXPECT_THAT(next_calls(1, kNow + 10s), ElementsAre(good));
  EXPECT_THAT(failed(&status_), ElementsAre(late));
  EXPECT_EQ(status_.http_status(), 504u);
  EXPECT_THAT(status_.message(), HasSubstr("no worker of runner clf was free"));
}

TEST_F(BatchSchedulerTest, ExpiresQueuedCallsWithoutAWorker) {
  const auto late = push(kSafe, 1, kNow + 10s), gone = push(kFragile), good = push(kFragile);
  EXPECT_TRUE(scheduler_.expire_queued(kNow + 9s, failures_));
  EXPECT_THAT(failed(), IsEmpty());
  gone->abandoned = true;
  EXPECT_TRUE(scheduler_.expire_queued(kNow + 10s, failures_));
  EXPECT_THAT(failed(), ElementsAre(late, gone));
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 0);
  EXPECT_THAT(next_calls(1, kNow + 10s), ElementsAre(good));
  EXPECT_FALSE(scheduler_.expire_queued(kNow + 10s, failures_)) << "nothing waits";
}

class LatencyTest : public BatchSchedulerTest {
 protected:
  static plugin::RunnerSpec spec() {
    plugin::RunnerSpec spec = make_pool_spec();
    spec.methods[kSafe].max_latency_ms = 50;
    return spec;
  }
  LatencyTest() : BatchSchedulerTest(spec()) {}
};

TEST_F(LatencyTest, DropsWhatWaitedLongerThanMaxLatency) {
  const auto late = push(kSafe), other = push(kFragile);
  scheduler_.expire_queued(kNow + 50ms, failures_);
  EXPECT_THAT(failed(), IsEmpty());
  scheduler_.expire_queued(kNow + 51ms, failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(late)) << "the other method has no such limit";
  EXPECT_EQ(status_.http_status(), 503u);
  EXPECT_THAT(status_.message(), HasSubstr("max_latency_ms"));
}

TEST_F(LatencyTest, SparesWhatIsRescuedLate) {
  const auto call = push();
  scheduler_.rescue(*next(), Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(next_calls(1, kNow + 1h), ElementsAre(call)) << "the limit is on the first wait";
}

TEST_F(BatchSchedulerTest, CountsACallThatIsLateInFlightOnce) {
  const auto late = push(kSafe, 1, kNow + 10s), good = push();
  const BatchPtr batch = next();
  scheduler_.expire_in_flight(*batch, kNow + 9s, failures_);
  EXPECT_THAT(failed(), IsEmpty());
  scheduler_.expire_in_flight(*batch, kNow + 10s, failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(late));
  EXPECT_EQ(status_.http_status(), 504u);
  EXPECT_THAT(status_.message(), HasSubstr("clf.safe did not answer before the deadline"));
  scheduler_.expire_in_flight(*batch, kNow + 11s, failures_);
  scheduler_.fail(*batch, Status(BENTO_INTERNAL, "bad"), failures_);
  EXPECT_THAT(failed(), ElementsAre(good));
  EXPECT_EQ(counts(kSafe).calls_failed->Value(), 2);
}

// ---- batches that are not answered

TEST_F(BatchSchedulerTest, RescuesIdempotentCallsOnceEachAloneAndBeforeOthers) {
  const auto a = push(), b = push();
  const BatchPtr lost = next();
  const auto later = push();
  scheduler_.rescue(*lost, Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(failed(), IsEmpty());
  const BatchPtr again = next();
  ASSERT_NE(again, nullptr);
  EXPECT_THAT(again->calls, ElementsAre(a));
  scheduler_.rescue(*again, Status(BENTO_UNAVAILABLE, "died again"), failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(a));
  EXPECT_EQ(status_.message(), "died again");
  EXPECT_THAT(next_calls(), ElementsAre(b));
  EXPECT_THAT(next_calls(), ElementsAre(later));
}

TEST_F(BatchSchedulerTest, FailsLostCallsThatMayNotRunTwice) {
  const auto a = push(kFragile), b = push(kFragile);
  scheduler_.rescue(*next(), Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(failed(), testing::UnorderedElementsAre(a, b));
  EXPECT_EQ(next(), nullptr);
}

TEST_F(BatchSchedulerTest, RescuesNoCallThatHasFinished) {
  const auto late = push(kSafe, 1, kNow + 10s), good = push();
  const BatchPtr batch = next();
  scheduler_.expire_in_flight(*batch, kNow + 10s, failures_);
  EXPECT_THAT(failed(), ElementsAre(late));
  scheduler_.rescue(*batch, Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(failed(), IsEmpty());
  EXPECT_THAT(next_calls(), ElementsAre(good)) << "at a time at which the other was not late";
}

TEST_F(BatchSchedulerTest, GivesAnErrorToTheOneCallThatWasAlone) {
  const auto a = push(), b = push();
  const Status error(BENTO_INVALID_ARGUMENT, "no twos");
  scheduler_.answer_error(*next(), error, failures_);
  EXPECT_THAT(failed(), IsEmpty()) << "it may be one caller's fault";
  scheduler_.answer_error(*next(), error, failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(a));
  EXPECT_EQ(status_.message(), "no twos");
  EXPECT_THAT(next_calls(), ElementsAre(b));
}

TEST_F(BatchSchedulerTest, SendsTheCallsOfATooLargeBatchEachAlone) {
  const auto a = push(), b = push();
  const BatchPtr batch = next();
  const auto later = push();
  scheduler_.take_back(*batch, failures_);
  EXPECT_THAT(failed(), IsEmpty());
  const BatchPtr first = next();
  ASSERT_NE(first, nullptr);
  EXPECT_THAT(first->calls, ElementsAre(a));
  scheduler_.take_back(*first, failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(a));
  EXPECT_EQ(status_.http_status(), 413u);
  EXPECT_THAT(status_.message(), HasSubstr("the inputs of runner clf are too large to be sent"));
  const BatchPtr second = next();
  ASSERT_NE(second, nullptr);
  EXPECT_THAT(second->calls, ElementsAre(b));
  scheduler_.rescue(*second, Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(next_calls(), ElementsAre(b)) << "being taken back was no rescue";
  EXPECT_THAT(next_calls(), ElementsAre(later));
}

TEST_F(BatchSchedulerTest, PutsBackMoreThanTheQueueHoldsAndRefusesNewCallsThen) {
  for (int i = 0; i < 2; ++i) push();
  const BatchPtr batch = next();
  for (int i = 0; i < 8; ++i) push();
  scheduler_.rescue(*batch, Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(failed(), IsEmpty());
  EXPECT_FALSE(scheduler_.room_for(kSafe, 1, 0).ok());
  std::size_t taken = 0;
  while (const BatchPtr each = next()) taken += each->calls.size();
  EXPECT_EQ(taken, 10u);
}

// ---- the end

TEST_F(BatchSchedulerTest, FailsWhatIsQueuedAndGoesOn) {
  const auto a = push(kSafe), b = push(kFragile);
  scheduler_.fail_queued(Status(BENTO_UNAVAILABLE, "no hope"), failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(a, b));
  EXPECT_EQ(status_.message(), "no hope");
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 0);
  EXPECT_FALSE(scheduler_.is_stopped());
  const auto c = push(kSafe);
  EXPECT_THAT(next_calls(), ElementsAre(c));
}

TEST_F(BatchSchedulerTest, RescuesNothingAfterAStop) {
  const auto flying = push();
  const BatchPtr batch = next();
  const auto queued = push();
  scheduler_.stop(failures_);
  EXPECT_TRUE(scheduler_.is_stopped());
  EXPECT_THAT(failed(&status_), ElementsAre(queued));
  EXPECT_EQ(status_.message(), "runner clf is shutting down");
  scheduler_.rescue(*batch, Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(flying));
  EXPECT_EQ(status_.message(), "died");
  EXPECT_EQ(next(), nullptr);
}

TEST_F(BatchSchedulerTest, PutsNothingBackAfterAStop) {
  const auto a = push(), b = push();
  const BatchPtr batch = next();
  scheduler_.stop(failures_);
  scheduler_.take_back(*batch, failures_);
  EXPECT_THAT(failed(&status_), ElementsAre(a, b));
  EXPECT_EQ(status_.message(), "runner clf is shutting down");
  EXPECT_EQ(next(), nullptr);
}

TEST_F(BatchSchedulerTest, ShowsWhatIsPutBackAsWaiting) {
  push(), push();
  const BatchPtr batch = next();
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 0);
  scheduler_.take_back(*batch, failures_);
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 2);
  scheduler_.rescue(*next(), Status(BENTO_UNAVAILABLE, "died"), failures_);
  EXPECT_EQ(counts(kSafe).queue_depth->Value(), 2);
}

// ---- waits for fuller batches

plugin::RunnerSpec make_spec_that_waits() {
  plugin::RunnerSpec spec = make_pool_spec();
  spec.methods[kSafe].max_batch_wait_us = 500;
  return spec;
}

class WaitingScheduler : public BatchSchedulerTest {
 protected:
  WaitingScheduler() : BatchSchedulerTest(make_spec_that_waits()) {}
};

TEST_F(WaitingScheduler, AsksForATimerOnlyWhileAWorkerIsKeptIdle) {
  push(kSafe);
  const auto other = push(kFragile);
  EXPECT_THAT(next_calls(), ElementsAre(other));
  EXPECT_EQ(scheduler_.ripe_at(), kNoDeadline) << "the worker is busy";
  EXPECT_EQ(next(), nullptr);
  EXPECT_EQ(scheduler_.ripe_at(), kNow + 500us);
}

}  // namespace
}  // namespace bentohost::runner
