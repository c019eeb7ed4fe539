// The pool when workers die, hang, send wrong frames or cannot be started, and when it is stopped.
#include <gmock/gmock.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <atomic>
#include <thread>

#include "runner/pool.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

class PoolFaultsTest : public PoolFixture {};

TEST_F(PoolFaultsTest, RetriesAnIdempotentCallOnceAndAloneWhenItsWorkerDies) {
  make_ready();
  Caller first, a, b;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  EXPECT_EQ(receive_call(), (Rows{1, 1}));
  die();
  ASSERT_EQ(spawned(), 2u);  // it had served: replaced at once
  make_ready();
  EXPECT_EQ(receive_call(), Rows{1});
  die();  // a's second death
  EXPECT_EQ(a.status.http_status(), 503u);
  EXPECT_EQ(b.answers, 0);
  advance(1s);
  make_ready();
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(b.values, Values{2});
}

class PoolOfThreeTest : public PoolFixture {
 protected:
  PoolOfThreeTest() : PoolFixture(make_pool_options(3)) {}
  // The rows of the call that the worker gets now; the worker answers it.
  Rows serve(std::size_t worker) {
    Puppet& puppet = *spawner_.puppets[worker];
    const auto frame = puppet.receive_work();
    if (!frame) return {};
    wire::DecodedValues values;
    EXPECT_TRUE(wire::decode_call(frame->body, values).ok());
    puppet.echo(*frame, frame->header.id);
    return values.rows;
  }
};

TEST_F(PoolOfThreeTest, WhatADeathLeavesGoesToIdleWorkersAtOnce) {
  make_ready(*spawner_.puppets[0]);
  Caller first, a, b;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  EXPECT_EQ(serve(0), Rows{1});
  turn();  // and now the first worker has the other two
  make_ready(*spawner_.puppets[1]);
  make_ready(*spawner_.puppets[2]);
  spawner_.puppets[0]->die();
  turn();
  EXPECT_EQ(serve(1), Rows{1});
  EXPECT_EQ(serve(2), Rows{1});
  turn();
}

TEST_F(PoolFaultsTest, FailsWhatMayNotRunTwice) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  die();
  EXPECT_EQ(a.status.http_status(), 503u);
}

TEST_F(PoolFaultsTest, HearsAnAnswerThatCameJustBeforeTheEnd) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  (void)receive_call();
  puppet().echo(*frame_, frame_->header.id);
  die();
  EXPECT_EQ(a.values, Values{1});
  EXPECT_EQ(spawned(), 2u);
}

struct Lie {
  const char* name;
  std::function<void(fakes::FakeSpawner::Puppet&, const fakes::FakeSpawner::Frame&)> tell;
};

class PoolLiesTest : public PoolFixture, public testing::WithParamInterface<Lie> {};

TEST_P(PoolLiesTest, EndTheWorkerAndFailItsCallOnce) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  (void)receive_call();
  GetParam().tell(puppet(), *frame_);
  turn();
  EXPECT_EQ(a.status.http_status(), 502u);
  EXPECT_THAT(a.status.message(), HasSubstr("broke the protocol"));
  advance(1s);
  ASSERT_EQ(spawned(), 2u);
  make_ready();
  EXPECT_TRUE(pool_.readiness().ok());
}

AlignedBuffer huge_frame() {
  AlignedBuffer bytes = fakes::FakeSpawner::Puppet::empty_frame(wire::FrameType::kResult);
  const std::uint64_t length = wire::kMaxBody + 1;
  std::memcpy(bytes.data() + 24, &length, sizeof length);
  return bytes;
}

INSTANTIATE_TEST_SUITE_P(
    All, PoolLiesTest,
    testing::Values(
        Lie{"Garbage", [](auto& worker, auto&) { worker.send(AlignedBuffer(64, 'x')); }},
        Lie{"ALengthBeyondTheCap", [](auto& worker, auto&) { worker.send(huge_frame()); }},
        Lie{"AnotherCallsAnswer",
            [](auto& worker, auto& call) { worker.echo(call, call.header.id + 1); }},
        Lie{"AnotherCallsError",
            [](auto& worker, auto& call) {
              worker.fail(call.header.id + 1, Status(BENTO_INTERNAL, "no"));
            }},
        Lie{"AFrameThatOnlyTheHostSends",
            [](auto& worker, auto&) { worker.send(worker.empty_frame(wire::FrameType::kCall)); }},
        Lie{"AResultThatIsNone",
            [](auto& worker, auto&) {
              worker.send(worker.empty_frame(wire::FrameType::kResult));
            }}),
    [](const auto& lie) { return lie.param.name; });

TEST_F(PoolFaultsTest, TreatsAHalfFrameAsADeath) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  const AlignedBuffer frame = Puppet::empty_frame(wire::FrameType::kResult);
  puppet().send({frame.data(), 40});
  turn();
  EXPECT_EQ(a.answers, 0);
  die();
  EXPECT_EQ(a.status.http_status(), 503u);
}

TEST_F(PoolFaultsTest, RefusesABatchsAnswerOfTooFewRows) {
  make_ready();
  Caller first, a, b;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  ASSERT_EQ(receive_call(), (Rows{1, 1}));
  puppet().answer(frame_->header.id, kSafe, make_rows({1}).view());
  turn();
  for (const Caller* each : {&a, &b}) {
    EXPECT_EQ(each->status.http_status(), 502u);
    EXPECT_THAT(each->status.message(), HasSubstr("clf.safe: it returned 1 rows for 2"));
  }
}

TEST_F(PoolFaultsTest, CountsACallThatTakesTooLongAsAnErrorHoweverItEnds) {
  make_ready();
  Caller first, late, patient;
  ASSERT_TRUE(submit(first, kSafe, {0}).ok());
  ASSERT_TRUE(submit(late, kSafe, {1}, 10s).ok());
  ASSERT_TRUE(submit(patient, kSafe, {2}).ok());
  (void)receive_call();
  answer();
  ASSERT_EQ(receive_call(), (Rows{1, 1}));
  advance(10s);
  answer();
  EXPECT_EQ(late.status.http_status(), 504u);
  EXPECT_EQ(patient.values, Values{2});
  const auto counts = metrics_.runner_method({"svc", "clf"}, "safe", 4);
  EXPECT_EQ(counts.calls_failed->Value(), 1);
  EXPECT_EQ(counts.calls_ok->Value(), 2);
}

TEST_F(PoolFaultsTest, IsStartingWhileAProcessIsOnItsWay) {
  spawner_.is_slow = true;
  die();
  advance(1s);
  Caller waiting;
  ASSERT_TRUE(submit(waiting, kSafe, {1}).ok());
  advance(1h);
  EXPECT_EQ(spawned(), 1u);
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("worker 0 is starting"));
  spawner_.let_slow_ones_start();
  turn();
  ASSERT_EQ(spawned(), 2u) << "and it was asked for once";
  make_ready();
  EXPECT_EQ(receive_call(), Rows{1});
  answer();
  EXPECT_EQ(waiting.values, Values{1});
}

TEST_F(PoolFaultsTest, KillsAWorkerThatHangs) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kSafe, {1}, 10s).ok());
  advance(10s);
  EXPECT_EQ(a.status.http_status(), 504u);
  advance(2s);  // kill_grace
  die();        // SIGKILL does this
  advance(100ms);
  EXPECT_EQ(spawned(), 2u);
  EXPECT_THAT(pool_.readiness().message(),
              HasSubstr("was killed by the host: it did not answer before its deadline"));
}

TEST_F(PoolFaultsTest, StartsAgainLaterAndLaterWhatNeverServed) {
  for (const Duration delay : {100ms, 200ms, 400ms, 800ms}) {
    const std::size_t before = spawned();
    die();
    advance(delay - 1ms);
    EXPECT_EQ(spawned(), before);
    advance(1ms);
    EXPECT_EQ(spawned(), before + 1);
  }
}

TEST_F(PoolFaultsTest, FailsQueuedCallsWhenNoWorkerEverStarts) {
  Caller waiting;
  ASSERT_TRUE(submit(waiting, kSafe, {1}).ok());
  for (int i = 0; i < 3; ++i) {
    advance(20s);
    EXPECT_EQ(waiting.answers, 0);
    die();
  }
  EXPECT_EQ(waiting.status.http_status(), 503u);
  Caller next;
  EXPECT_THAT(submit(next, kSafe, {1}).message(), HasSubstr("not available"));
  advance(20s);
  make_ready();  // there was still an attempt
  EXPECT_TRUE(submit(next, kSafe, {1}).ok());
  (void)receive_call();
  answer();
}

TEST_F(PoolFaultsTest, FailsQueuedCallsWhenNoProcessCanBeStarted) {
  Caller waiting;
  ASSERT_TRUE(submit(waiting, kSafe, {1}).ok());
  spawner_.refuse = true;
  die();
  for (int i = 0; i < 3; ++i) advance(20s);
  EXPECT_EQ(waiting.status.http_status(), 503u);
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("could not be started: told not to spawn"));
  spawner_.refuse = false;
  advance(20s);
  make_ready();
  EXPECT_TRUE(pool_.readiness().ok());
}

TEST_F(PoolFaultsTest, GivesUpOnAWorkerThatExitsWith78) {
  spawner_.exit_code = 78;
  die();
  advance(1s);
  Caller waiting;
  ASSERT_TRUE(submit(waiting, kSafe, {1}).ok());
  die();
  EXPECT_EQ(waiting.status.http_status(), 503u);
  EXPECT_THAT(waiting.status.message(), HasSubstr("failed for good"));
  advance(1h);
  EXPECT_EQ(spawned(), 2u);
}

TEST_F(PoolFaultsTest, StopsWhenItsWorkersHaveEnded) {
  make_ready();
  Caller running, queued, refused;
  ASSERT_TRUE(submit(running, kSafe, {1}).ok());
  ASSERT_TRUE(submit(queued, kSafe, {2}).ok());
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    pool_.stop(std::chrono::steady_clock::now() + 1h);
    stopped = true;
  });
  while (pool_.readiness().ok()) turn();
  EXPECT_EQ(submit(refused, kSafe, {3}).http_status(), 503u);
  (void)receive_call();
  EXPECT_FALSE(puppet().told_to_end()) << "it is at work";
  answer();
  EXPECT_EQ(running.values, Values{1});
  while (!puppet().told_to_end()) turn();
  EXPECT_FALSE(stopped);
  puppet().die();
  while (!stopped) turn();
  stopper.join();
  EXPECT_EQ(queued.status.http_status(), 503u);
  advance(1h);
  EXPECT_EQ(spawned(), 1u);
  EXPECT_EQ(metrics_.runner_up({"svc", "clf"}, 0).Value(), 0);
}

TEST_F(PoolFaultsTest, StopsWhenAProcessThatIsOnItsWayHasEnded) {
  spawner_.is_slow = true;
  die();
  advance(1s);
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    pool_.stop(std::chrono::steady_clock::now() + 1h);
    stopped = true;
  });
  while (pool_.readiness().message() != "runner clf is shutting down") turn();
  turn();
  EXPECT_FALSE(stopped);
  spawner_.let_slow_ones_start();
  turn();
  ASSERT_EQ(spawned(), 2u);
  EXPECT_TRUE(puppet().told_to_end());
  EXPECT_FALSE(stopped);
  puppet().die();
  while (!stopped) turn();
  stopper.join();
}

PoolOptions impatient() {
  PoolOptions options = make_pool_options();
  options.kill_grace = 1ms;
  return options;
}

class ImpatientPoolTest : public PoolFixture {
 protected:
  ImpatientPoolTest() : PoolFixture(impatient()) {}
};

TEST_F(ImpatientPoolTest, HasNoUseForAProcessThatComesAfterItsEnd) {
  spawner_.is_slow = true;
  die();
  advance(1s);
  std::thread stopper([&] { pool_.stop(std::chrono::steady_clock::now()); });
  stopper.join();  // stop() waits until its deadline
  turn();
  spawner_.let_slow_ones_start();
  turn();
  ASSERT_EQ(spawned(), 2u);
  EXPECT_TRUE(puppet().told_to_end());
}

// With a pidfd, as for real processes, closed pipes are not yet the end.
TEST_F(PoolFaultsTest, SeesTheEndOfAProcessWithoutAPidfdAndDoesNotWaitForIt) {
  spawner_.with_process = true;
  die();
  advance(1s);
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  puppet().out.reset();
  while (pool_.readiness().ok()) turn();  // the new process has the pipe, too, until its exec()
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("worker 0 is ending"));
  EXPECT_EQ(a.answers, 0);
  ASSERT_EQ(::kill(puppet().pid, SIGTERM), 0);
  while (a.answers == 0) turn();
  EXPECT_THAT(a.status.message(), HasSubstr("was killed by SIGTERM (signal 15)"));
}

TEST_F(PoolFaultsTest, SaysOfAProcessWhosePipesCannotBeWatchedWhyAndTriesAgain) {
  spawner_.is_unwatchable = true;
  die();
  advance(1s);
  ASSERT_EQ(spawned(), 2u);
  EXPECT_THAT(pool_.readiness().message(),
              HasSubstr("its pipes cannot be watched: epoll_ctl: Operation not permitted"));
  spawner_.is_unwatchable = false;
  advance(1s);
  make_ready();
  EXPECT_TRUE(pool_.readiness().ok());
}

}  // namespace
}  // namespace bentohost::runner
