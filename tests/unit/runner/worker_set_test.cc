// The set of workers by hand: its owner only writes down what it hears, and asks the set itself for
// work to be given and finished, as a pool does.
#include "runner/worker_set.h"

#include <gmock/gmock.h>
#include <prometheus/gauge.h>

#include "runner/batch_frame.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class WorkerSetTest : public testing::Test, protected WorkerSet::Owner {
 protected:
  using Puppet = fakes::FakeSpawner::Puppet;

  WorkerSetTest() {
    loop_.post([this] {
      loop_.add_ticker([this](TimePoint now) {
        WorkerSet::Due due;
        const bool is_needed = locked([&] {
          return set_.tick_locked(
              now, due, [this](const WorkerPtr&, const Batch& batch) { ticked_ = batch.id; });
        });
        set_.handle(std::move(due));
        return is_needed;
      });
      set_.start(lifetime_);
    });
    turn();
  }
  ~WorkerSetTest() override {
    locked([&] { set_.begin_stop_locked(); });
    for (const auto& puppet : spawner_.puppets) puppet->die();
    turn();
    set_.leave_behind();
  }

  // What the set says is only written down.
  void on_ready() override { heard_.push_back("ready"); }
  bool on_result(Worker& worker, std::uint64_t batch, const wire::DecodedValues& result,
                 ResultFrame&) override {
    heard_.push_back("result " + std::to_string(values_of(result.values[0]).at(0)));
    return locked([&] { return set_.finish_locked(worker, batch); }) != nullptr;
  }
  bool on_part(Worker& worker, std::uint64_t batch, std::span<const bento_value> values,
               ResultFrame&) override {
    heard_.push_back("part " + std::to_string(values_of(values[0]).at(0)));
    return locked([&] { return WorkerSet::find(worker, batch); }) != nullptr;
  }
  bool on_no_arena(const WorkerPtr&, std::uint64_t batch) override {
    heard_.push_back("no arena for " + std::to_string(batch));
    return true;
  }
  bool on_error(Worker& worker, std::uint64_t batch, const Status& error) override {
    heard_.push_back("error " + error.message());
    return locked([&] { return set_.finish_locked(worker, batch); }) != nullptr;
  }
  Failures on_lost(const Batch& batch, const Status& why) override {
    heard_.push_back("lost " + std::to_string(batch.id) + ": " + std::to_string(why.http_status()) +
                     " " + why.message());
    return {{batch.calls, why}};
  }
  void on_gone() override { heard_.push_back("gone"); }

  template <typename F>
  auto locked(F&& f) -> decltype(f()) {
    const MutexLock lock(set_.mutex());
    return f();
  }
  std::vector<std::string> heard() { return std::exchange(heard_, {}); }
  const WorkerSlots& slots() const { return set_.slots_locked(); }  // one thread needs no lock
  std::string why_not_ready() const { return slots().why_not_ready(); }

  void turn() {
    for (int i = 0; i < 4; ++i) {
      for (const auto& puppet : spawner_.puppets) puppet->push();
      loop_.step(Duration::zero());
    }
  }
  void advance(Duration by) {
    clock_.advance(by);
    turn();
  }
  Puppet& puppet() { return *spawner_.puppets.back(); }
  std::size_t spawned() const { return spawner_.puppets.size(); }
  void make_ready() {
    EXPECT_EQ(puppet().receive()->header.type, wire::FrameType::kHello);
    puppet().say_ready();
    turn();
  }
  void die() {
    puppet().die();
    turn();
  }
  // Gives the idle worker a batch of one call, and sends it.
  std::shared_ptr<const Batch> assign(TimePoint deadline = kNoDeadline) {
    auto batch = std::make_shared<Batch>();
    batch->id = ++last_id_;
    batch->rows = 1;
    batch->last_deadline = deadline;
    auto call = std::make_shared<Call>();
    call->inputs.push_back(make_rows({7}));
    call->done = [this](const CallResult&) { heard_.push_back("told"); };
    batch->calls.push_back(std::move(call));
    loop_.ensure_ticking();
    const WorkerSlots::Idle idle = slots().find_idle();
    EXPECT_EQ(idle.count, 1u);
    if (idle.count == 0) return batch;
    worker_ = *idle.first;
    locked([&] { set_.assign_locked(*worker_, batch); });
    AlignedBuffer frame;
    EXPECT_TRUE(encode_batch(*batch, plugin::MethodSpec(), *worker_->arenas, frame));
    worker_->to.send(frame);
    return batch;
  }
  void echo(std::uint64_t id) {
    const auto frame = puppet().receive();
    ASSERT_TRUE(frame.has_value());
    puppet().echo(*frame, id);
    turn();
  }

  fakes::FakeClock clock_;
  fakes::FakeSpawner spawner_;
  observe::Metrics metrics_{"test"};
  EventLoop loop_{clock_};
  std::shared_ptr<int> lifetime_ = std::make_shared<int>();
  WorkerSet set_{{.service = "svc", .runner = "clf", .hello = "{}"},
                 {loop_, spawner_, clock_, metrics_},
                 *this};
  std::vector<std::string> heard_;
  std::uint64_t last_id_ = 0, ticked_ = 0;
  WorkerPtr worker_;
};

TEST_F(WorkerSetTest, GoesFromStartingToIdleToBusyAndBack) {
  EXPECT_EQ(why_not_ready(), "worker 0 is starting");
  EXPECT_EQ(slots().find_idle().count, 0u);
  make_ready();
  EXPECT_THAT(heard(), ElementsAre("ready"));
  EXPECT_TRUE(slots().are_all_up());
  EXPECT_EQ(metrics_.runner_up({"svc", "clf"}, 0).Value(), 1);
  assign();
  EXPECT_EQ(slots().find_idle().count, 0u);
  EXPECT_TRUE(slots().are_all_up()) << "a busy worker is up, too";
  echo(1);
  EXPECT_THAT(heard(), ElementsAre("result 7"));
  EXPECT_EQ(slots().find_idle().count, 1u);
}

TEST_F(WorkerSetTest, PassesOnTheErrorOfABatch) {
  make_ready();
  assign();
  puppet().fail(1, Status(BENTO_INTERNAL, "no"));
  turn();
  EXPECT_THAT(heard(), ElementsAre("ready", "error no"));
  EXPECT_EQ(slots().find_idle().count, 1u);
}

TEST_F(WorkerSetTest, TakesABatchBackOnlyFromTheWorkerThatHasIt) {
  make_ready();
  const auto batch = assign();
  EXPECT_FALSE(set_.take_back_locked(*worker_, std::make_shared<Batch>()));
  EXPECT_EQ(worker_->state, Worker::State::kBusy);
  EXPECT_TRUE(set_.take_back_locked(*worker_, batch));
  EXPECT_EQ(worker_->state, Worker::State::kIdle);
  EXPECT_EQ(worker_->kill_at, kNoDeadline);
  EXPECT_FALSE(set_.take_back_locked(*worker_, batch));
}

TEST_F(WorkerSetTest, TellsOfTheLostBatchThenItsCallersAndThenOfTheDeath) {
  make_ready();
  assign();
  die();
  EXPECT_THAT(heard(), ElementsAre("ready", "lost 1: 503 runner clf is gone", "told", "gone"));
  EXPECT_EQ(metrics_.runner_up({"svc", "clf"}, 0).Value(), 0);
  EXPECT_EQ(spawned(), 2u) << "it had served: its place is filled at once";
}

TEST_F(WorkerSetTest, AnswersForALiarBeforeItHasGone) {
  spawner_.with_pidfd = true;
  die();
  advance(1s);
  make_ready();
  heard();
  assign();
  echo(2);  // another id
  EXPECT_THAT(heard(), ElementsAre("result 7", HasSubstr("lost 1: 502"), "told"));
  EXPECT_EQ(why_not_ready(), "worker 0 is ending");
  die();
  EXPECT_THAT(heard(), ElementsAre("gone")) << "its batch is lost once";
}

TEST_F(WorkerSetTest, WaitsLongerFromFailureToFailureUntilThereIsNoHope) {
  for (const Duration delay : {100ms, 200ms, 400ms}) {
    EXPECT_FALSE(slots().are_hopeless());
    const std::size_t before = spawned();
    die();
    EXPECT_THAT(heard(), ElementsAre("gone"));
    EXPECT_EQ(slots().are_hopeless(), delay == 400ms);
    EXPECT_EQ(why_not_ready(), "worker 0 will be started again (it is gone)");
    advance(delay - 1ms);
    EXPECT_EQ(spawned(), before);
    advance(1ms);
    EXPECT_EQ(spawned(), before + 1);
  }
}

TEST_F(WorkerSetTest, GivesUpAtExitCode78) {
  spawner_.exit_code = 78;
  die();
  advance(1s);
  EXPECT_FALSE(slots().have_given_up());
  die();
  EXPECT_TRUE(slots().have_given_up());
  EXPECT_TRUE(slots().are_hopeless());
  EXPECT_EQ(why_not_ready(), "worker 0 failed for good: it exited with code 78");
  advance(1h);
  EXPECT_EQ(spawned(), 2u);
}

TEST_F(WorkerSetTest, TicksForTheBatchAndKillsAWorkerThatHangs) {
  spawner_.with_pidfd = true;
  die();
  advance(1s);
  make_ready();
  assign(clock_.now() + 10s);
  advance(10s);
  EXPECT_EQ(ticked_, 1u);
  advance(2s - 1ms);
  EXPECT_EQ(worker_->state, Worker::State::kBusy);
  advance(1ms);
  EXPECT_EQ(worker_->state, Worker::State::kEnding);
  advance(2s);
  EXPECT_EQ(why_not_ready(), "worker 0 does not die of SIGKILL") << "it is a puppet";
}

TEST_F(WorkerSetTest, LetsABusyWorkerAnswerBeforeItEnds) {
  make_ready();
  assign();
  locked([&] { set_.begin_stop_locked(); });
  set_.end_idle();
  (void)heard();
  EXPECT_EQ(worker_->state, Worker::State::kBusy);
  echo(1);
  EXPECT_THAT(heard(), ElementsAre("result 7"));
  EXPECT_TRUE(puppet().told_to_end());
  EXPECT_FALSE(slots().are_empty());
  die();
  EXPECT_TRUE(slots().are_empty());
  advance(1h);
  EXPECT_EQ(spawned(), 1u);
}

TEST_F(WorkerSetTest, LeavesBehindAWorkerWithItsBatchLostAndHearsNothingMoreOfIt) {
  make_ready();
  assign();
  locked([&] { set_.begin_stop_locked(); });
  (void)heard();
  set_.leave_behind();
  EXPECT_THAT(heard(), ElementsAre(HasSubstr("its process does not die"), "told"));
  EXPECT_TRUE(slots().are_empty());
  die();
  EXPECT_THAT(heard(), IsEmpty());
}

TEST_F(WorkerSetTest, HasNoUseForAProcessThatArrivesWhenItsOwnerHasGone) {
  spawner_.is_slow = true;
  die();
  advance(1s);
  EXPECT_EQ(why_not_ready(), "worker 0 is starting (it is gone)");
  (void)heard();
  lifetime_.reset();
  spawner_.let_slow_ones_start();
  turn();
  EXPECT_TRUE(puppet().told_to_end());
  EXPECT_THAT(heard(), IsEmpty());
  EXPECT_FALSE(slots().are_empty()) << "nobody has looked at the set";
}

}  // namespace
}  // namespace bentohost::runner
