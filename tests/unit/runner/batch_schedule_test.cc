// How close batching comes to the ideal schedule, in virtual time: callers that ask again as soon
// as they are answered, a worker whose model takes a known time, and nothing else that costs time.
// The ideal is a worker that always computes full batches.
#include <gtest/gtest.h>

#include <algorithm>
#include <queue>
#include <random>

#include "observe/metrics.h"
#include "runner/batch_scheduler.h"

namespace bentohost::runner {
namespace {

using namespace std::chrono_literals;

struct Model {
  Duration call, row;
  Duration of(std::size_t rows) const { return call + row * rows; }
};

struct Outcome {
  double throughput = 0, latency = 0;  // both in units of the ideal
};

constexpr std::size_t kCallers = 64;

// `think` is the most that a caller takes to ask again.
Outcome run(const Model& model, std::uint32_t max_batch, std::uint32_t wait_us, Duration think) {
  plugin::RunnerSpec spec;
  spec.name = "clf";
  plugin::MethodSpec& method = spec.methods.emplace_back();
  method.name = "predict";
  method.batchable = method.lists = true;
  method.max_batch = max_batch;
  method.max_batch_wait_us = wait_us;
  observe::Metrics metrics("test");
  BatchScheduler scheduler(spec, {}, {metrics.runner_method({"svc", "clf"}, "predict", max_batch)});

  struct Event {
    TimePoint at;
    std::size_t caller;  // kWorker: the worker is idle again; kTimer: the wait may be over
    bool operator>(const Event& other) const { return at > other.at; }
  };
  constexpr std::size_t kWorker = kCallers, kTimer = kCallers + 1;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events;
  std::mt19937 random(5);
  const auto pause = [&] { return Duration(random() % static_cast<unsigned>(think.count())); };
  const TimePoint begin{1h};
  for (std::size_t i = 0; i < kCallers; ++i) events.push({begin + pause(), i});

  std::vector<TimePoint> asked(kCallers);
  std::shared_ptr<const Batch> computing;
  std::size_t answered = 0;
  Duration longest{};
  const std::size_t full = std::min<std::size_t>(max_batch, kCallers);
  const TimePoint warm = begin + 20 * model.of(full), end = warm + 100 * model.of(full);
  std::vector<std::pair<const Call*, std::size_t>> who;
  while (events.top().at < end) {
    const Event event = events.top();
    events.pop();
    if (event.caller < kCallers) {
      auto call = std::make_shared<Call>();
      call->inputs.resize(1);
      asked[event.caller] = event.at;
      who.emplace_back(call.get(), event.caller);
      EXPECT_TRUE(scheduler.push(0, std::move(call), event.at).ok());
    } else if (event.caller == kWorker) {
      for (const CallPtr& call : computing->calls) {
        const auto found = std::find_if(who.begin(), who.end(),
                                        [&](const auto& each) { return each.first == call.get(); });
        const std::size_t caller = found->second;
        who.erase(found);
        if (event.at >= warm) {
          ++answered;
          longest = std::max(longest, event.at - asked[caller]);
        }
        events.push({event.at + pause(), caller});
      }
      computing = nullptr;
    }
    if (computing != nullptr) continue;
    Failures failures;
    computing = scheduler.next_batch(event.at, 1, failures);
    EXPECT_TRUE(failures.empty());
    if (computing != nullptr) {
      events.push({event.at + model.of(computing->calls.size()), kWorker});
    } else if (scheduler.ripe_at() != kNoDeadline) {
      events.push({scheduler.ripe_at(), kTimer});
    }
  }
  const double ideal = static_cast<double>(full) / seconds(model.of(full));
  return {static_cast<double>(answered) / seconds(end - warm) / ideal,
          seconds(longest) / seconds(model.of(full))};
}

constexpr Model kModels[] = {{2ms, 20us}, {100us, 0us}, {20ms, 0us}};

TEST(BatchSchedule, IsIdealWhenMoreCallersWaitThanABatchHolds) {
  for (const Model& model : kModels) {
    const Outcome outcome = run(model, 32, 0, model.of(32) / 50);
    EXPECT_GE(outcome.throughput, 0.9);
    EXPECT_LE(outcome.latency, 2.2);
  }
}

TEST(BatchSchedule, IsIdealWithAWaitWhenABatchHoldsAllCallers) {
  for (const Model& model : kModels) {
    const Duration think = model.of(64) / 50;
    const auto wait =
        static_cast<std::uint32_t>(std::chrono::ceil<std::chrono::microseconds>(2 * think).count());
    const Outcome outcome = run(model, 64, wait, think);
    EXPECT_GE(outcome.throughput, 0.9);
    EXPECT_LE(outcome.latency, 2.2);
  }
}

// Why the wait is there: without it, callers fall into two groups that take turns.
TEST(BatchSchedule, HasTwoGroupsThatTakeTurnsWithoutAWait) {
  const Outcome outcome = run({20ms, 0us}, 64, 0, 400us);
  EXPECT_LT(outcome.throughput, 0.6);
  EXPECT_LE(outcome.latency, 2.2);
}

}  // namespace
}  // namespace bentohost::runner
