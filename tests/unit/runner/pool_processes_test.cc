// How a pool's processes end: they close their pipes, do not read, or do not die.
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

class PoolOfProcessesTest : public PoolFixture {
 protected:
  PoolOfProcessesTest() : PoolFixture(make_pool_options(2)) { spawner_.with_pidfd = true; }
};

TEST_F(PoolOfProcessesTest, WaitsForTheProcessBehindAClosedPipe) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  puppet().out.reset();
  turn();
  EXPECT_EQ(a.answers, 0);
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("worker 1 is ending"));
  die();
  EXPECT_EQ(a.status.http_status(), 503u);
  EXPECT_EQ(spawned(), 3u) << "it had been given work, so its start was no failure";
}

TEST_F(PoolOfProcessesTest, KillsAProcessThatClosedItsPipesAndStays) {
  make_ready();
  puppet().out.reset();
  turn();
  advance(2s);
  die();
  EXPECT_THAT(pool_.readiness().message(),
              HasSubstr("killed by the host: it closed its output and did not end"));
}

TEST_F(PoolOfProcessesTest, GivesNoMoreWorkToOneThatDoesNotRead) {
  make_ready();
  Caller a, b;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  (void)receive_call();
  puppet().in.reset();
  turn();
  answer();
  EXPECT_EQ(a.values, Values{1});
  EXPECT_EQ(b.answers, 0);
  make_ready(*spawner_.puppets[0]);
  const auto call = spawner_.puppets[0]->receive();
  ASSERT_TRUE(call.has_value()) << "the other worker's";
  spawner_.puppets[0]->echo(*call, call->header.id);
  turn();
  EXPECT_EQ(b.values, Values{2});
}

TEST_F(PoolOfProcessesTest, ReplacesTwoThatEndTogether) {
  for (const auto& worker : spawner_.puppets) make_ready(*worker);
  Caller a, b;
  ASSERT_TRUE(submit(a, kSafe, {1}).ok());
  ASSERT_TRUE(submit(b, kSafe, {2}).ok());
  for (const auto& worker : spawner_.puppets) {
    const auto call = worker->receive();
    ASSERT_TRUE(call.has_value());
    worker->echo(*call, call->header.id);
  }
  turn();
  for (const auto& worker : spawner_.puppets) worker->die();
  turn();
  ASSERT_EQ(spawned(), 4u);
  make_ready(*spawner_.puppets[2]);
  make_ready(*spawner_.puppets[3]);
  EXPECT_EQ(spawned(), 4u) << "an event of the dead was taken for one of the living";
}

// A process that does not die, like one that waits for a hung file system: its end never comes.
class UndyingTest : public PoolFixture {
 protected:
  explicit UndyingTest(Duration kill_grace = 1ms) : PoolFixture(options(kill_grace)) {
    spawner_.with_pidfd = true;
  }
  static PoolOptions options(Duration kill_grace) {
    PoolOptions options = make_pool_options();
    options.kill_grace = kill_grace;
    return options;
  }
  std::weak_ptr<Pool> let_go() {
    const std::weak_ptr<Pool> weak = owner_;
    owner_.reset();
    return weak;
  }
};

TEST_F(UndyingTest, IsLeftBehindAtTheEndAndItsCallFails) {
  make_ready();
  Caller running;
  ASSERT_TRUE(submit(running, kSafe, {1}).ok());
  EXPECT_EQ(receive_call(), Rows{1});
  std::atomic<bool> stopped = false;
  std::thread stopper([&] {
    pool_.stop(std::chrono::steady_clock::now());
    stopped = true;
  });
  while (!stopped) turn();
  stopper.join();
  turn();  // this thread may have been slower than stop()'s limit
  EXPECT_EQ(running.status.http_status(), 503u);
  EXPECT_THAT(running.status.message(), HasSubstr("its process does not die"));
  EXPECT_TRUE(puppet().told_to_end());
  EXPECT_EQ(metrics_.runner_up({"svc", "clf"}, 0).Value(), 0);
  const auto weak = let_go();
  turn();
  EXPECT_TRUE(weak.expired());
  puppet().send("too late");
  puppet().die();
  turn();  // no callback is called
}

class UndyingOnAStuckLoopTest : public UndyingTest {
 protected:
  UndyingOnAStuckLoopTest() : UndyingTest(50ms) {}
};

TEST_F(UndyingOnAStuckLoopTest, HasItsPoolUntilTheLoopHasTurned) {
  make_ready();
  std::thread stopper([&] { pool_.stop(std::chrono::steady_clock::now()); });
  stopper.join();  // without a turn of the loop
  const auto weak = let_go();
  EXPECT_FALSE(weak.expired());
  puppet().say_ready();
  turn();
  EXPECT_TRUE(weak.expired());
  EXPECT_TRUE(puppet().told_to_end());
}

TEST_F(PoolOfProcessesTest, ReplacesOneThatDoesNotDieOnlyWhenItHas) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}, 10s).ok());
  advance(12s);  // killed
  EXPECT_EQ(a.status.http_status(), 504u);
  advance(2s);
  EXPECT_THAT(pool_.readiness().message(), HasSubstr("worker 1 does not die of SIGKILL"));
  advance(1h);
  EXPECT_EQ(spawned(), 2u);
  die();
  advance(1s);
  EXPECT_EQ(spawned(), 3u);
}

TEST_F(PoolOfProcessesTest, AnswersForALiarAtOnceAndReplacesItWhenItHasEnded) {
  make_ready();
  Caller a;
  ASSERT_TRUE(submit(a, kFragile, {1}).ok());
  puppet().send(AlignedBuffer(64, 'x'));
  turn();
  EXPECT_EQ(a.status.http_status(), 502u);
  advance(1s);
  EXPECT_EQ(spawned(), 2u);
  die();
  advance(1s);
  EXPECT_EQ(spawned(), 3u);
}

}  // namespace
}  // namespace bentohost::runner
