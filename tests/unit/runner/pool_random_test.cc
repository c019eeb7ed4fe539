// The pool under thousands of random interleavings of callers, results, faults and time: each
// caller always gets exactly one result, and only its own values, whether they go through pipes or
// through shared memory, which is there at one moment and refused at the next.
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
  std::size_t width = 1;

  // What make_rows() makes of `sent`.
  Values expected_values() const {
    Values elements;
    for (const std::int64_t row : sent) elements.insert(elements.end(), width, row);
    return elements;
  }
};

struct SharedBudget {
  const std::shared_ptr<MemoryBudget> budget_ =
      std::make_shared<MemoryBudget>(12 * kArenaThreshold);
};

class PoolRandomTest : protected SharedBudget,
                       public PoolFixture,
                       public testing::WithParamInterface<unsigned> {
 protected:
  // A row of so many is larger than what goes through pipes; not many fit into the budget.
  static constexpr std::size_t kWide = kArenaThreshold / sizeof(std::int64_t) + 1;

  PoolRandomTest()
      : PoolFixture(make_pool_options(3), make_pool_spec(), {budget_, &fakes::HostMemory::calls}),
        random_(GetParam()) {
    spawner_.with_pidfd = GetParam() % 2 == 0;
    spawner_.with_arenas = GetParam() % 4 != 0;
    fakes::WorkerMemory::instead_of_waiting = [this] { loop_.step(Duration::zero()); };
  }
  ~PoolRandomTest() override {
    fakes::HostMemory::reset();
    fakes::WorkerMemory::reset();
  }

  std::size_t below(std::size_t n) { return random_() % n; }

  void submit_one() {
    RandomCaller& caller = callers_.emplace_back();
    caller.method = below(2) == 0 ? kSafe : kFragile;
    for (std::size_t i = 0, rows = below(5); i < rows; ++i) caller.sent.push_back(next_value_++);
    caller.width = below(spawner_.with_arenas ? 16 : 64) == 0 ? kWide : 1;
    (void)submit(caller, caller.method, caller.sent, 1ms * below(2000), caller.width);
    refused_ += caller.expected == 0 ? 1 : 0;
  }

  // The worker answers, dies, sends a wrong frame, or is slow.
  void move_worker(Puppet& worker) {
    if (!worker.in) return;
    auto frame = worker.receive_work();
    // A large frame goes through a pipe in one move, or hardly any would arrive.
    for (int i = 0; i < 100 && worker.in && !frame && worker.reader.pending() > 0; ++i) {
      loop_.step(Duration::zero());
      frame = worker.receive_work();
    }
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
    for (int i = 0; i < 100 && worker.out && !worker.unsent.empty(); ++i) {
      worker.push();
      loop_.step(Duration::zero());
    }
    if (dice < 21) worker.die();
  }

  // What is refused changes now and then; most of the time nothing is.
  void move_system() {
    using fakes::HostMemory, fakes::WorkerMemory;
    for (bool* refuses :
         {&HostMemory::refuses_create, &HostMemory::refuses_seals, &HostMemory::refuses_map,
          &HostMemory::refuses_send, &WorkerMemory::refuses_map, &WorkerMemory::refuses_send,
          &WorkerMemory::loses_descriptors}) {
      *refuses = below(40) == 0;
    }
  }

  void move() {
    if (below(20) == 0) move_system();
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

  // From now on nothing fails, and there is enough time.
  void settle() {
    fakes::HostMemory::refuse_nothing();
    fakes::WorkerMemory::refuse_nothing();
    for (int round = 0; round < 200; ++round) {
      for (const auto& worker : spawner_.puppets) {
        const auto frame = worker->in ? worker->receive_work() : std::nullopt;
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
  std::size_t good = 0, wide = 0;
  for (const RandomCaller& caller : callers_) {
    EXPECT_EQ(caller.answers, caller.expected);
    if (caller.answers == 0 || !caller.status.ok() || caller.values == Values{-1}) continue;
    EXPECT_TRUE(caller.values == caller.expected_values());
    ++good;
    wide += caller.width > 1 && !caller.sent.empty() ? 1 : 0;
  }
  if (spawner_.with_arenas) {
    EXPECT_GT(wide, 0u);
  }
  for (const auto& worker : spawner_.puppets) worker->die();
  turn();
  EXPECT_EQ(budget_->used(), 0u) << "of shared memory nothing is left";
  // Otherwise the random choices tested too little.
  EXPECT_GT(good, callers_.size() / 20);
  EXPECT_LT(refused_, callers_.size());
}

INSTANTIATE_TEST_SUITE_P(Seeds, PoolRandomTest, testing::Range(1u, 13u));

}  // namespace
}  // namespace bentohost::runner
