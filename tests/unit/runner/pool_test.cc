// The pool at work: which worker gets which calls, in which order and batches, and the results.
#include "runner/pool.h"

#include <gmock/gmock.h>

#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class PoolTest : public PoolFixture {};

TEST_F(PoolTest, GreetsAWorkerAndIsReadyWhenItSaysSo) {
  const auto hello = puppet().receive();
  ASSERT_TRUE(hello.has_value());
  EXPECT_EQ(hello->header.type, wire::FrameType::kHello);
  EXPECT_EQ(std::string(hello->body.data(), hello->body.size()), R"({"a":1})");
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("worker 0 is starting"));
  puppet().say_ready();
  turn();
  EXPECT_TRUE(pool_.readiness().ok());
}

TEST_F(PoolTest, IsWarmWhenEachWorkerIsUp) {
  EXPECT_FALSE(*pool_.is_warm());
  make_ready();
  EXPECT_TRUE(*pool_.is_warm());
}

TEST_F(PoolTest, IsNotWarmButFailedWhenAWorkerEndsInstead) {
  die();
  const auto warm = pool_.is_warm();
  EXPECT_EQ(warm.status().code(), BENTO_UNAVAILABLE);
  EXPECT_THAT(warm.status().message(), HasSubstr("runner clf"));
}

TEST_F(PoolTest, GivesWorkToAnIdleWorkerBeforeSubmitReturns) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kSafe, {7}).ok());
  EXPECT_EQ(receive_call(), Rows{1});  // without a turn of the loop
  answer();
  EXPECT_EQ(a.values, Values{7});
}

TEST_F(PoolTest, KeepsCallsForAWorkerThatIsStarting) {
  Caller a, b;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  make_ready();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  answer();
  EXPECT_EQ(b.values, Values{2});
}

TEST_F(PoolTest, FormsBatchesWhileTheWorkerIsBusyAndGivesEachCallerItsRows) {
  make_ready();
  Caller a, b, c, d;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2, 3}).ok());
  ASSERT_TRUE(submit(c, kSafe, {4}).ok());
  ASSERT_TRUE(submit(d, kSafe, {5, 6}).ok());
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(receive_call(), (Rows{2, 1}));  // not d: max_batch is 4
  answer();
  EXPECT_EQ(receive_call(), Rows{2});
  answer();
  EXPECT_EQ(a.values, Values{1});
  EXPECT_EQ(b.values, (Values{2, 3}));
  EXPECT_EQ(c.values, Values{4});
  EXPECT_EQ(d.values, (Values{5, 6}));
}

TEST_F(PoolTest, LetsMethodsTakeTurns) {
  make_ready();
  Caller a, b, c;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  ASSERT_TRUE(submit(c, kFragile, {3}).ok());
  for (const std::uint32_t method : {kSafe, kFragile, kSafe}) {
    ASSERT_FALSE(receive_call().empty());
    EXPECT_EQ(frame_->header.method, method);
    answer();
  }
}

TEST_F(PoolTest, LetsABatchsErrorFailOnlyTheCallerWhoseItIs) {
  make_ready();
  Caller first, good, bad;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(good, kSafe, {1}).ok());
  ASSERT_TRUE(submit(bad, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  fail(Status(BENTO_INVALID_ARGUMENT, "no twos"));
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(receive_call(), Rows{1});
  fail(Status(BENTO_INVALID_ARGUMENT, "no twos"));
  EXPECT_EQ(good.values, Values{1});
  EXPECT_EQ(bad.status.message(), "no twos");
}

TEST_F(PoolTest, FailsAllOfABatchThatMayNotRunAgain) {
  make_ready();
  Caller first, a, b;
  ASSERT_TRUE(submit(first, kFragile, {0}).ok());
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  ASSERT_TRUE(submit(b, kFragile, {2}).ok());
  (void)receive_call();
  answer();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  fail(Status(BENTO_INVALID_ARGUMENT, "no"));
  EXPECT_EQ(a.status.http_status(), 400u);
  EXPECT_EQ(b.status.http_status(), 400u);
  EXPECT_TRUE(receive_call().empty());
}

TEST_F(PoolTest, AnswersAtTheDeadlineInTheQueueAndInFlight) {
  make_ready();
  Caller flying, queued;
  ASSERT_TRUE(submit(flying, kSafe, {1}, 10s).ok());
  ASSERT_TRUE(submit(queued, kSafe, {2}, 11s).ok());
  (void)receive_call();
  advance(10s);
  EXPECT_EQ(flying.status.http_status(), 504u);
  EXPECT_EQ(queued.answers, 0);
  advance(1s);
  EXPECT_EQ(queued.status.http_status(), 504u);
  answer();  // comes too late: nobody waits for it
  Caller next;
  ASSERT_TRUE(submit(next, kSafe, {3}).ok());
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
}

TEST_F(PoolTest, AnswersAtOnceACallThatComesTooLate) {
  make_ready();
  Caller late;
  ASSERT_TRUE(submit(late, kSafe, {1}, 0s).ok());
  EXPECT_EQ(late.status.http_status(), 504u);
  EXPECT_TRUE(receive_call().empty());
}

TEST_F(PoolTest, SendsNoCallThatNobodyWaitsForAnyMore) {
  make_ready();
  Caller first, gone, last;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(gone, kSafe, {1}).ok());
  ASSERT_TRUE(submit(last, kSafe, {2}).ok());
  gone.call->abandoned = true;
  (void)receive_call();
  answer();
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(last.values, Values{2});
  EXPECT_EQ(gone.status.code(), BENTO_CANCELLED);
}

TEST_F(PoolTest, DropsACallWithinATickWhenItsClientLeaves) {
  make_ready();
  const auto gone = std::make_shared<std::atomic<bool>>(false);
  Caller first, second;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(second, kSafe, {1}).ok());
  second.call->cancelled = gone;
  *gone = true;
  advance(EventLoop::kTick);
  EXPECT_EQ(second.status.code(), BENTO_CANCELLED);
  (void)receive_call();
  answer();
}

TEST_F(PoolTest, GathersWhatIsSubmittedInOneTurnOfALoop) {
  make_ready();
  Caller a, b;
  loop_.post([&] {
    ASSERT_TRUE(submit(a, kSafe, {1}).ok());
    ASSERT_TRUE(submit(b, kSafe, {2}).ok());
    EXPECT_TRUE(receive_call().empty());
  });
  turn();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  answer();
}

TEST_F(PoolTest, RefusesMoreThanTheQueueHolds) {
  make_ready();
  std::vector<Caller> callers(9);  // one in flight, eight in the queue
  for (Caller& caller : callers) ASSERT_TRUE(submit(caller, kSafe, {1}).ok());
  Caller refused;
  const Status full = submit(refused, kSafe, {8});
  EXPECT_EQ(full.http_status(), 503u);
  EXPECT_THAT(full.message(), HasSubstr("overloaded: 8 calls of safe are waiting"));
  while (!receive_call().empty()) answer();
}

TEST_F(PoolTest, FinishesAFrameThatThePipeDidNotTakeAtOnce) {
  make_ready();
  Values many(100'000);
  for (std::size_t i = 0; i < many.size(); ++i) many[i] = static_cast<std::int64_t>(i);
  Caller large;
  ASSERT_TRUE(submit(large, kSafe, many).ok());
  int turns = 0;
  for (; receive_call().empty(); ++turns) {
    ASSERT_LT(turns, 1000);
    turn();
  }
  EXPECT_GT(turns, 0) << "the pipe took all of it: this shows nothing";
  answer();
  while (!puppet().unsent.empty()) turn();
  turn();
  EXPECT_EQ(large.values, many);
}

TEST_F(PoolTest, SendsAloneWhatIsTooLargeTogether) {
  make_ready();
  Caller first, good, bad;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  // No frame takes such a name: it stands for a call that is too large for a frame.
  bad.call = std::make_shared<Call>();
  bad.call->inputs.push_back(make_rows({1}));
  bad.call->inputs[0].name.assign(wire::kMaxLabel + 1, 'n');
  bad.call->done = bad.hear();
  bad.expected = 1;
  ASSERT_TRUE(pool_.submit(kSafe, bad.call).ok());
  ASSERT_TRUE(submit(good, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  EXPECT_EQ(bad.status.http_status(), 413u);
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(good.values, Values{2});
}

class PoolWithLatencyTest : public PoolFixture {
 protected:
  static plugin::RunnerSpec spec() {
    plugin::RunnerSpec spec = make_pool_spec();
    spec.methods[kSafe].max_latency_ms = 50;
    return spec;
  }
  PoolWithLatencyTest() : PoolFixture(make_pool_options(), spec()) {}
};

TEST_F(PoolWithLatencyTest, AnswersACallThatWaitedLongerThanMaxLatency) {
  make_ready();
  Caller flying, queued;
  ASSERT_TRUE(submit(flying, kSafe, {1}).ok());
  ASSERT_TRUE(submit(queued, kSafe, {2}).ok());
  advance(50ms);
  EXPECT_EQ(queued.answers, 0);
  advance(1ms);
  EXPECT_EQ(queued.status.http_status(), 503u);
  EXPECT_THAT(queued.status.message(), HasSubstr("max_latency_ms"));
  (void)receive_call();
  answer();
  EXPECT_EQ(flying.values, Values{1}) << "the limit is on waiting, not on running";
}

class PoolOfTwoTest : public PoolFixture {
 protected:
  PoolOfTwoTest() : PoolFixture(make_pool_options(2)) {}
};

TEST_F(PoolOfTwoTest, UsesTheOtherWorkerWhileOneIsBusy) {
  make_ready(*spawner_.puppets[0]);
  make_ready(*spawner_.puppets[1]);
  Caller a, b;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  for (const auto& worker : spawner_.puppets) {
    const auto call = worker->receive_work();
    ASSERT_TRUE(call.has_value());
    worker->echo(*call, call->header.id);
  }
  turn();
  EXPECT_EQ(a.values, Values{1});
  EXPECT_EQ(b.values, Values{2});
}

TEST_F(PoolOfTwoTest, IsReadyWithOneOfThem) {
  make_ready(*spawner_.puppets[1]);
  EXPECT_TRUE(pool_.readiness().ok());
}

}  // namespace
}  // namespace bentohost::runner
