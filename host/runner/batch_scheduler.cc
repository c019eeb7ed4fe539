#include "runner/batch_scheduler.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "observe/sharded.h"

namespace bentohost::runner {
namespace {

BatchPolicy policy_of(const plugin::MethodSpec& method, const BatchScheduler::Limits& limits) {
  BatchPolicy policy;
  policy.batchable = method.batchable;
  policy.max_batch = method.batchable ? method.max_batch : 1;
  policy.lists = method.lists;
  policy.axis = method.axis_in;
  policy.max_wait = std::chrono::microseconds(method.max_batch_wait_us);
  policy.max_queue = limits.max_queue;
  policy.max_queue_bytes = limits.max_queue_bytes;
  if (method.max_latency_ms != 0)
    policy.max_latency = std::chrono::milliseconds(method.max_latency_ms);
  return policy;
}

}  // namespace

BatchScheduler::BatchScheduler(const plugin::RunnerSpec& spec, Limits limits,
                               std::vector<observe::RunnerMethodMetrics> metrics)
    : spec_(spec), limits_(limits) {
  methods_.reserve(spec.methods.size());
  for (std::size_t i = 0; i < spec.methods.size(); ++i)
    methods_.push_back({BatchQueue(policy_of(spec.methods[i], limits)), metrics[i]});
}

// ---- admission -------------------------------------------------------------------------------

Status BatchScheduler::push(std::uint32_t method, CallPtr call, TimePoint now) {
  Method& target = methods_[method];
  const std::size_t bytes = call->bytes;
  call->enqueued = now;
  if (!target.queue.push(std::move(call))) return why_no_room(method, 1, bytes);
  show_queue(target);
  return {};
}

Status BatchScheduler::room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const {
  if (methods_[method].queue.has_room(calls, bytes)) return {};
  return why_no_room(method, calls, bytes);
}

Status BatchScheduler::why_no_room(std::uint32_t method, std::size_t calls,
                                   std::size_t bytes) const {
  const std::string name = spec_.name + "." + spec_.methods[method].name;
  const auto never = [&](const std::string& what) {
    return Status::with_http(413, BENTO_RESOURCE_EXHAUSTED,
                             "the input is too large for runner " + name + ": " + what);
  };
  if (bytes > limits_.max_queue_bytes) {
    return never("it has " + std::to_string(bytes) + " bytes, and --max-queue-bytes allows " +
                 std::to_string(limits_.max_queue_bytes));
  }
  if (calls > limits_.max_queue) {
    return never("with at most " + std::to_string(spec_.methods[method].max_batch) +
                 " rows in a batch it is " + std::to_string(calls) +
                 " calls, and --max-queue allows " + std::to_string(limits_.max_queue));
  }
  const BatchQueue& queue = methods_[method].queue;
  return Status(BENTO_RESOURCE_EXHAUSTED,
                "runner " + spec_.name + " is overloaded: " + std::to_string(queue.size()) +
                    " calls of " + spec_.methods[method].name + " are waiting, with " +
                    std::to_string(queue.bytes()) + " bytes (--max-queue, --max-queue-bytes)");
}

// ---- batches ---------------------------------------------------------------------------------

std::shared_ptr<const Batch> BatchScheduler::next_batch(TimePoint now, std::size_t idle_workers,
                                                        Failures& failures) {
  ripe_at_ = kNoDeadline;
  for (std::size_t turn = 0; turn < methods_.size(); ++turn) {
    const std::size_t index = (next_method_ + turn) % methods_.size();
    Method& method = methods_[index];
    if (method.queue.size() == 0) continue;
    if (const TimePoint ripe = method.queue.ripe_at(now); ripe > now) {
      ripe_at_ = std::min(ripe_at_, ripe);
      continue;
    }

    std::vector<CallPtr> dropped;
    std::vector<CallPtr> calls = method.queue.take(now, idle_workers, dropped);
    fail_dropped(method, std::move(dropped), now, failures);
    show_queue(method);
    if (calls.empty()) continue;

    next_method_ = index + 1;
    ripe_at_ = kNoDeadline;  // the next idle worker asks again when waiting calls are ripe
    return make_batch(index, std::move(calls), now);
  }
  return nullptr;
}

std::shared_ptr<const Batch> BatchScheduler::next_beside(std::uint32_t method, TimePoint now,
                                                         Failures& failures) {
  Method& mine = methods_[method];
  while (mine.queue.size() != 0) {
    for (const Method& other : methods_) {
      if (&other == &mine || other.queue.size() == 0) continue;
      if (other.queue.front().enqueued < mine.queue.front().enqueued) return nullptr;
    }
    std::vector<CallPtr> dropped;
    std::vector<CallPtr> calls = mine.queue.take(now, 1, dropped);
    fail_dropped(mine, std::move(dropped), now, failures);
    show_queue(mine);
    if (!calls.empty()) return make_batch(method, std::move(calls), now);
  }
  return nullptr;
}

std::shared_ptr<const Batch> BatchScheduler::make_batch(std::size_t method,
                                                        std::vector<CallPtr> calls, TimePoint now) {
  const observe::RunnerMethodMetrics& metrics = methods_[method].metrics;
  auto batch = std::make_shared<Batch>();
  batch->id = next_id_++;
  batch->method = static_cast<std::uint32_t>(method);
  batch->sent = now;
  if (spec_.methods[method].engine != nullptr)
    batch->max_concurrent = spec_.methods[method].max_concurrent;
  for (const CallPtr& call : calls) {
    batch->rows += call->rows;
    batch->last_deadline = std::max(batch->last_deadline, call->deadline);
    metrics.queue_wait->observe(seconds(now - call->enqueued));
  }
  batch->calls = std::move(calls);
  metrics.batch_size->observe(batch->rows);
  return batch;
}

// ---- time ------------------------------------------------------------------------------------

bool BatchScheduler::expire_queued(TimePoint now, Failures& failures) {
  bool were_waiting = false;
  for (Method& method : methods_) {
    if (method.queue.size() == 0) continue;
    were_waiting = true;
    std::vector<CallPtr> dropped;
    method.queue.expire(now, dropped);
    fail_dropped(method, std::move(dropped), now, failures);
    show_queue(method);
  }
  return were_waiting;
}

bool BatchScheduler::expire_in_flight(const Batch& batch, TimePoint now, Failures& failures) {
  const std::string name = spec_.name + "." + spec_.methods[batch.method].name;
  bool is_any_left = false;
  for (const CallPtr& call : batch.calls) {
    if (call->finished) continue;
    if (!call->is_wanted()) {
      fail_calls(methods_[batch.method], {call},
                 Status(BENTO_CANCELLED, "nobody waits for the call any more"), failures);
    } else if (now >= call->deadline && !call->is_held_up()) {
      fail_calls(methods_[batch.method], {call},
                 Status(BENTO_DEADLINE_EXCEEDED,
                        "runner " + name +
                            (call->has_emitted ? " sent no further result within its max_latency_ms"
                                               : " did not answer before the deadline")),
                 failures);
    } else {
      is_any_left = true;
    }
  }
  return !is_any_left;
}

void BatchScheduler::renew_deadline(Call& call, std::uint32_t method, TimePoint now) const {
  const std::uint32_t latency = spec_.methods[method].max_latency_ms;
  call.deadline = latency == 0 ? kNoDeadline : now + std::chrono::milliseconds(latency);
}

// ---- batches that get no result --------------------------------------------------------------

void BatchScheduler::rescue(const Batch& batch, const Status& status, Failures& failures) {
  Method& method = methods_[batch.method];
  std::vector<CallPtr> lost;
  for (auto it = batch.calls.rbegin(); it != batch.calls.rend(); ++it) {
    const CallPtr& call = *it;
    if (call->finished) continue;
    if (!spec_.methods[batch.method].idempotent || call->retried || call->has_emitted ||
        is_stopped_) {
      lost.push_back(call);
      continue;
    }
    call->retried = call->alone = true;
    method.queue.push_front(call);
  }
  show_queue(method);
  fail_calls(method, std::move(lost), status, failures);
}

void BatchScheduler::answer_error(const Batch& batch, const Status& status, Failures& failures) {
  if (batch.calls.size() > 1) {
    rescue(batch, status, failures);
  } else {
    fail(batch, status, failures);
  }
}

void BatchScheduler::take_back(const Batch& batch, Failures& failures) {
  if (is_stopped_) return fail(batch, shutting_down(), failures);
  if (batch.calls.size() == 1) {
    return fail(
        batch,
        Status::with_http(413, BENTO_RESOURCE_EXHAUSTED,
                          "the inputs of runner " + spec_.name + " are too large to be sent"),
        failures);
  }
  for (auto it = batch.calls.rbegin(); it != batch.calls.rend(); ++it) {
    if ((*it)->finished) continue;
    (*it)->alone = true;
    methods_[batch.method].queue.push_front(*it);
  }
  show_queue(methods_[batch.method]);
}

void BatchScheduler::fail(const Batch& batch, const Status& status, Failures& failures) {
  fail_calls(methods_[batch.method], batch.calls, status, failures);
}

// ---- the end ---------------------------------------------------------------------------------

void BatchScheduler::fail_queued(const Status& status, Failures& failures) {
  for (Method& method : methods_) {
    fail_calls(method, method.queue.take_all(), status, failures);
    show_queue(method);
  }
}

void BatchScheduler::stop(Failures& failures) {
  is_stopped_ = true;
  fail_queued(shutting_down(), failures);
}

Status BatchScheduler::shutting_down() const {
  return Status(BENTO_UNAVAILABLE, "runner " + spec_.name + " is shutting down");
}

// ---- failures --------------------------------------------------------------------------------

void BatchScheduler::fail_calls(const Method& method, std::vector<CallPtr> calls,
                                const Status& status, Failures& failures) {
  std::erase_if(calls, [](const CallPtr& call) { return std::exchange(call->finished, true); });
  if (calls.empty()) return;
  method.metrics.calls_failed->Increment(static_cast<double>(calls.size()));
  failures.push_back({std::move(calls), status});
}

void BatchScheduler::fail_dropped(const Method& method, std::vector<CallPtr> dropped, TimePoint now,
                                  Failures& failures) const {
  if (dropped.empty()) return;
  std::vector<CallPtr> unwanted, past_deadline, past_latency;
  for (CallPtr& call : dropped) {
    auto& why = !call->is_wanted()      ? unwanted
                : now >= call->deadline ? past_deadline
                                        : past_latency;
    why.push_back(std::move(call));
  }
  fail_calls(method, std::move(unwanted),
             Status(BENTO_CANCELLED, "nobody waits for the call any more"), failures);
  fail_calls(method, std::move(past_deadline),
             Status(BENTO_DEADLINE_EXCEEDED,
                    "no worker of runner " + spec_.name + " was free before the deadline"),
             failures);
  fail_calls(method, std::move(past_latency),
             Status(BENTO_RESOURCE_EXHAUSTED,
                    "the call waited longer for runner " + spec_.name + " than its max_latency_ms"),
             failures);
}

void BatchScheduler::show_queue(const Method& method) {
  method.metrics.queue_depth->Set(static_cast<double>(method.queue.size()));
  method.metrics.queue_bytes->Set(static_cast<double>(method.queue.bytes()));
}

}  // namespace bentohost::runner
