// The pool under thousands of random interleavings of callers, results, faults and time: each
// caller always gets exactly one result, and only its own values.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>

#include "runner/pool.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

struct RandomCaller : Caller {
  std::uint32_t method = 0;
  Values sent;
};

class PoolRandomTest : public PoolFixture, public testing::WithParamInterface<unsigned> {
 protected:
  PoolRandomTest() : PoolFixture(make_pool_options(3)), random_(GetParam()) {
    spawner_.with_pidfd = GetParam() % 2 == 0;
  }

  std::size_t below(std::size_t n) { return random_() % n; }

  void submit_one() {
    RandomCaller& caller = callers_.emplace_back();
    caller.method = below(2) == 0 ? kSafe : kFragile;
    for (std::size_t i = 0, rows = below(5); i < rows; ++i) caller.sent.push_back(next_value_++);
    (void)submit(caller, caller.method, caller.sent, 1ms * below(2000));
    refused_ += caller.expected == 0 ? 1 : 0;
  }

  // The worker answers, dies, sends a wrong frame, or is slow.
  void move_worker(Puppet& worker) {
    if (!worker.in) return;
    const auto frame = worker.receive();
    const std::size_t dice = below(100);
    if (dice < 2) return worker.die();
    if (!frame) return;
    const std::uint64_t id = frame->header.id;
    if (dice < 4) return worker.send(AlignedBuffer(100, 'x'));
    if (dice < 6) return;  // it never answers this call
    if (frame->header.type == wire::FrameType::kHello) return worker.say_ready();
    if (dice < 16) return worker.fail(id, Status(BENTO_INTERNAL, "failed"));
    if (dice < 18) return worker.answer(id, frame->header.method, make_rows({-1}).view());
    worker.echo(*frame, id);
    if (dice < 21) worker.die();
  }

  void move() {
    switch (below(6)) {
      case 0:
      case 1:
        return submit_one();
      case 2:
        return loop_.step(Duration::zero());
      case 3:
        return clock_.advance(1ms * below(50));
      default:
        return move_worker(
            *spawner_.puppets[spawned() - 1 - below(std::min<std::size_t>(spawned(), 5))]);
    }
  }

  // From now on no worker fails, and there is enough time.
  void settle() {
    for (int round = 0; round < 200; ++round) {
      for (const auto& worker : spawner_.puppets) {
        const auto frame = worker->in ? worker->receive() : std::nullopt;
        if (!frame) continue;
        if (frame->header.type == wire::FrameType::kHello) {
          worker->say_ready();
        } else {
          worker->echo(*frame, frame->header.id);
        }
      }
      turn();
    }
    advance(1h);
  }

  std::mt19937 random_;
  std::int64_t next_value_ = 0;
  std::size_t refused_ = 0;
  std::deque<RandomCaller> callers_;
};

TEST_P(PoolRandomTest, AnswersEachCallerOnceWithItsOwnRows) {
  for (int i = 0; i < 3000; ++i) move();
  settle();
  std::size_t good = 0;
  for (const RandomCaller& caller : callers_) {
    EXPECT_EQ(caller.answers, caller.expected);
    if (caller.answers == 0 || !caller.status.ok() || caller.values == Values{-1}) continue;
    EXPECT_EQ(caller.values, caller.sent);
    ++good;
  }
  // Otherwise the random choices tested too little.
  EXPECT_GT(good, callers_.size() / 10);
  EXPECT_LT(refused_, callers_.size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, PoolRandomTest, testing::Range(1u, 13u));

}  // namespace
}  // namespace bentohost::runner
