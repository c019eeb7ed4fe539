// The pool with real threads: callers, the event loop and workers, all at once. Meant for
// ThreadSanitizer; without it, the test still counts results.
#include <gtest/gtest.h>
#include <poll.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "runner/pool.h"
#include "unit/runner/pool_fixture.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;
using Puppet = fakes::FakeSpawner::Puppet;

constexpr int kCallers = 4, kRounds = 60, kCallsEach = 6;
constexpr int kCallsPerLife = 40;  // then a worker dies during the next one

// Plays the worker until the host ends it, or for a number of calls.
void work(Puppet& puppet) {
  for (int calls = 0; calls <= kCallsPerLife;) {
    const auto frame = puppet.receive_work();
    if (!frame) {
      if (puppet.told_to_end()) break;
      pollfd fd{puppet.in.get(), POLLIN, 0};
      ::poll(&fd, 1, -1);
    } else if (frame->header.type == wire::FrameType::kHello) {
      puppet.say_ready();
    } else if (++calls <= kCallsPerLife) {
      puppet.echo(*frame, frame->header.id);
    }
  }
  puppet.die();
}

// Collects the results of some calls, and waits for them.
class Answers {
 public:
  Done hear(std::int64_t sent) {
    return [this, sent](const CallResult& outcome) {
      std::lock_guard lock(mutex_);
      ++heard_;
      if (outcome.status.ok() && values_of(outcome.values[0]) == Values{sent}) ++good_;
      if (!outcome.status.ok()) ++failed_;
      changed_.notify_all();
    };
  }
  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return heard_ >= count; });
  }
  int heard() const { return heard_; }
  int good() const { return good_; }
  int failed() const { return failed_; }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int heard_ = 0, good_ = 0, failed_ = 0;
};

class PoolThreadsTest : public testing::Test {
 protected:
  PoolThreadsTest() {
    spawner_.on_spawn = [this](Puppet& puppet) { workers_.emplace_back(work, std::ref(puppet)); };
    PoolOptions options = make_pool_options(2);
    options.max_queue = 1000;
    pool_ = std::make_shared<Pool>(spec_, options, Pool::Deps{loop_, spawner_, clock_, metrics_});
    loop_.start();
    pool_->start();
  }
  ~PoolThreadsTest() override {
    pool_->stop(clock_.now() + 1min);
    loop_.stop();
    for (std::thread& worker : workers_) worker.join();
  }

  Status submit(std::uint32_t method, std::int64_t value, Answers& answers) {
    auto call = std::make_shared<Call>();
    call->inputs.push_back(make_rows({value}));
    call->deadline = clock_.now() + 1h;
    call->done = answers.hear(value);
    return pool_->submit(method, std::move(call));
  }

  // One caller with several calls at a time, to both methods.
  void call(int caller, Answers& answers) {
    for (int round = 0, submitted = 0; round < kRounds; ++round) {
      for (int i = 0; i < kCallsEach; ++i) {
        ASSERT_TRUE(
            submit(i % 2 == 0 ? kSafe : kFragile, caller * 1'000'000 + submitted, answers).ok());
        ++submitted;
      }
      answers.wait_for(submitted);
    }
  }

  plugin::RunnerSpec spec_ = make_pool_spec();
  SteadyClock clock_;
  fakes::FakeSpawner spawner_;
  observe::Metrics metrics_{"test"};
  EventLoop loop_{clock_};
  std::shared_ptr<Pool> pool_;
  std::vector<std::thread> workers_;  // grows on the loop; read when the loop has ended
};

TEST_F(PoolThreadsTest, AnswersEachCallOnceWhileWorkersComeAndGo) {
  std::vector<Answers> answers(kCallers);
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i)
    callers.emplace_back([&, i] { call(i, answers[static_cast<std::size_t>(i)]); });
  for (std::thread& caller : callers) caller.join();
  for (const Answers& each : answers) {
    EXPECT_EQ(each.heard(), kRounds * kCallsEach);
    EXPECT_EQ(each.good() + each.failed(), kRounds * kCallsEach) << "somebody else's rows";
    EXPECT_GT(each.good(), kRounds * kCallsEach / 2);
  }
}

TEST_F(PoolThreadsTest, AnswersWhatIsInFlightWhenItStops) {
  Answers answers;
  int submitted = 0;
  for (int i = 0; i < 200; ++i) submitted += submit(kFragile, i, answers).ok() ? 1 : 0;
  pool_->stop(clock_.now() + 1min);
  answers.wait_for(submitted);
  EXPECT_EQ(answers.heard(), submitted);
  EXPECT_EQ(submit(kSafe, 1, answers).http_status(), 503u);
}

}  // namespace
}  // namespace bentohost::runner
