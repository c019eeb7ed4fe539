#include "runner/pool.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>

#include <algorithm>
#include <new>
#include <utility>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/process/low_priority.h"

namespace bentohost::runner {
namespace {

// A thread's frame buffer is given back after a larger frame than this.
constexpr std::size_t kKeptFrameBytes = 1u << 20;

BatchPolicy policy_of(const plugin::MethodSpec& method, const PoolOptions& options) {
  BatchPolicy policy;
  policy.batchable = method.batchable;
  policy.max_batch = method.batchable ? method.max_batch : 1;
  policy.axis = method.axis_in;
  policy.max_queue = options.max_queue;
  policy.max_queue_bytes = options.max_queue_bytes;
  if (method.max_latency_ms != 0)
    policy.max_latency = std::chrono::milliseconds(method.max_latency_ms);
  return policy;
}

}  // namespace

Pool::Pool(const plugin::RunnerSpec& spec, PoolOptions options, Deps deps)
    : spec_(spec), options_(std::move(options)), deps_(deps), slots_(options_.workers) {
  for (const plugin::MethodSpec& method : spec_.methods) {
    methods_.push_back({BatchQueue(policy_of(method, options_)),
                        deps_.metrics.runner_method(name(), method.name, method.max_batch)});
  }
  // The series are there from the beginning, at 0.
  for (std::uint32_t i = 0; i < options_.workers; ++i) deps_.metrics.runner_up(name(), i);
}

Pool::~Pool() = default;

void Pool::start() {
  deps_.loop.post([this] {
    ticker_ = deps_.loop.add_ticker([this](TimePoint now) { return tick(now); });
    for (std::uint32_t i = 0; i < slots_.size(); ++i) spawn(i);
  });
}

Status Pool::submit(std::uint32_t method, CallPtr call) {
  call->bytes = 0;
  for (const wire::Value& input : call->inputs) call->bytes += input.data.size();
  const std::size_t bytes = call->bytes;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return Status(BENTO_UNAVAILABLE, "runner " + spec_.name + " is shutting down");
    if (hopeless_locked()) {
      return Status(BENTO_UNAVAILABLE,
                    "runner " + spec_.name + " is not available: " + why_not_ready_locked());
    }
    call->enqueued = deps_.clock.now();
    Method& target = methods_[method];
    if (!target.queue.push(std::move(call))) {
      return why_no_room_locked(method, 1, bytes);
    }
    show_queue(target);
  }
  if (EventLoop* loop = EventLoop::current()) {
    loop->at_turn_end(*this);
  } else {
    dispatch_all();
  }
  deps_.loop.ensure_ticking();
  return {};
}

Status Pool::room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const {
  std::lock_guard lock(mutex_);
  if (methods_[method].queue.has_room(calls, bytes)) return {};
  return why_no_room_locked(method, calls, bytes);
}

Status Pool::why_no_room_locked(std::uint32_t method, std::size_t calls, std::size_t bytes) const {
  const std::string name = spec_.name + "." + spec_.methods[method].name;
  const auto never = [&](const std::string& what) {
    return Status::with_http(413, BENTO_RESOURCE_EXHAUSTED,
                             "the input is too large for runner " + name + ": " + what);
  };
  if (bytes > options_.max_queue_bytes) {
    return never("it has " + std::to_string(bytes) + " bytes, and --max-queue-bytes allows " +
                 std::to_string(options_.max_queue_bytes));
  }
  if (calls > options_.max_queue) {
    return never("with at most " + std::to_string(spec_.methods[method].max_batch) +
                 " rows in a batch it is " + std::to_string(calls) +
                 " calls, and --max-queue allows " + std::to_string(options_.max_queue));
  }
  const BatchQueue& queue = methods_[method].queue;
  return Status(BENTO_RESOURCE_EXHAUSTED,
                "runner " + spec_.name + " is overloaded: " + std::to_string(queue.size()) +
                    " calls of " + spec_.methods[method].name + " are waiting, with " +
                    std::to_string(queue.bytes()) + " bytes (--max-queue, --max-queue-bytes)");
}

void Pool::show_queue(const Method& method) {
  method.metrics.queue_depth->Set(static_cast<double>(method.queue.size()));
  method.metrics.queue_bytes->Set(static_cast<double>(method.queue.bytes()));
}

// Gives what waits to the workers that are idle.
void Pool::dispatch_all() {
  Failures failures;
  while (true) {
    Dispatch dispatch;
    {
      std::lock_guard lock(mutex_);
      dispatch = take_dispatch_locked(deps_.clock.now(), failures);
    }
    if (!dispatch) break;
    send(dispatch);
  }
  complete(failures);
}

Status Pool::readiness() const {
  std::lock_guard lock(mutex_);
  if (stopping_) return Status(BENTO_UNAVAILABLE, "runner " + spec_.name + " is shutting down");
  for (const Slot& slot : slots_) {
    if (slot.worker == nullptr) continue;
    const auto state = slot.worker->state;
    if (state == Worker::State::kIdle || state == Worker::State::kBusy) return {};
  }
  return Status(BENTO_UNAVAILABLE, "runner " + spec_.name + ": " + why_not_ready_locked());
}

bool Pool::has_given_up() const {
  std::lock_guard lock(mutex_);
  return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.gave_up; });
}

Result<bool> Pool::is_warm() const {
  std::lock_guard lock(mutex_);
  bool all = true;
  for (const Slot& slot : slots_) {
    if (!slot.last_end.empty())
      return Status(BENTO_UNAVAILABLE, "runner " + spec_.name + ": " + why_not_ready_locked());
    const bool is_up = slot.worker != nullptr && (slot.worker->state == Worker::State::kIdle ||
                                                  slot.worker->state == Worker::State::kBusy);
    all = all && is_up;
  }
  return all;
}

void Pool::stop(TimePoint deadline) {
  Failures failures;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    fail_queues_locked(failures,
                       Status(BENTO_UNAVAILABLE, "runner " + spec_.name + " is shutting down"));
  }
  complete(failures);
  const auto on_loop = [this](auto&& each) {
    deps_.loop.post([this, each] {
      std::lock_guard lock(mutex_);
      for (Slot& slot : slots_) {
        if (slot.worker != nullptr) each(*slot.worker);
      }
    });
  };
  // The end of its stdin is how a worker learns that it may go; a busy one learns it after its
  // batch.
  on_loop([this](Worker& worker) {
    if (worker.state != Worker::State::kBusy) end_locked(worker);
  });
  {
    std::unique_lock lock(mutex_);
    if (!worker_gone_.wait_until(lock, deadline, [this] { return all_gone_locked(); })) {
      on_loop([this](Worker& worker) { worker.kill(deps_.clock.now(), "it did not end in time"); });
      worker_gone_.wait_for(lock, options_.kill_grace, [this] { return all_gone_locked(); });
    }
  }
  deps_.loop.post([this] { leave_behind(); });
  // All that was asked of the loop before, and that is: it may come to it long after the owner.
  deps_.loop.hold_for_a_turn(shared_from_this());
  deps_.loop.let_turn(options_.kill_grace);
}

// ---- under the mutex -------------------------------------------------------------------------

Pool::Dispatch Pool::take_dispatch_locked(TimePoint now, Failures& failures) {
  const auto is_idle = [](const Slot& slot) {
    return slot.worker != nullptr && slot.worker->state == Worker::State::kIdle;
  };
  const auto idle = std::find_if(slots_.begin(), slots_.end(), is_idle);
  if (idle == slots_.end()) return {};
  const auto idle_workers = static_cast<std::size_t>(std::count_if(idle, slots_.end(), is_idle));
  for (std::size_t turn = 0; turn < methods_.size(); ++turn) {
    const std::size_t index = (next_method_ + turn) % methods_.size();
    Method& method = methods_[index];
    if (method.queue.size() == 0) continue;

    std::vector<CallPtr> dropped;
    std::vector<CallPtr> calls = method.queue.take(now, idle_workers, dropped);
    drop_locked(method, std::move(dropped), failures, now);
    show_queue(method);
    if (calls.empty()) continue;

    next_method_ = index + 1;
    auto batch = std::make_shared<Batch>();
    batch->id = next_batch_++;
    batch->method = static_cast<std::uint32_t>(index);
    batch->sent = now;
    TimePoint last_deadline{};
    for (const CallPtr& call : calls) {
      batch->rows += call->rows;
      last_deadline = std::max(last_deadline, call->deadline);
      method.metrics.queue_wait->Observe(seconds(now - call->enqueued));
    }
    batch->calls = std::move(calls);
    method.metrics.batch_size->Observe(batch->rows);

    Worker& worker = *idle->worker;
    worker.state = Worker::State::kBusy;
    worker.batch = batch;
    worker.kill_at =
        last_deadline == kNoDeadline ? kNoDeadline : last_deadline + options_.kill_grace;
    return {idle->worker, std::move(batch)};
  }
  return {};
}

void Pool::fail_later_locked(Failures& failures, Method& method, std::vector<CallPtr> calls,
                             const Status& status) {
  std::erase_if(calls, [](const CallPtr& call) { return std::exchange(call->finished, true); });
  if (calls.empty()) return;
  method.metrics.calls_failed->Increment(static_cast<double>(calls.size()));
  failures.push_back({std::move(calls), status});
}

void Pool::fail_queues_locked(Failures& failures, const Status& status) {
  for (Method& method : methods_) {
    fail_later_locked(failures, method, method.queue.take_all(), status);
    show_queue(method);
  }
}

void Pool::fail_queues_if_hopeless_locked(Failures& failures) {
  if (!hopeless_locked()) return;
  fail_queues_locked(
      failures, Status(BENTO_UNAVAILABLE,
                       "runner " + spec_.name + " is not available: " + why_not_ready_locked()));
}

void Pool::drop_locked(Method& method, std::vector<CallPtr> dropped, Failures& failures,
                       TimePoint now) {
  if (dropped.empty()) return;
  std::vector<CallPtr> unwanted, past_deadline, past_latency;
  for (CallPtr& call : dropped) {
    auto& why = !call->is_wanted()      ? unwanted
                : now >= call->deadline ? past_deadline
                                        : past_latency;
    why.push_back(std::move(call));
  }
  fail_later_locked(failures, method, std::move(unwanted),
                    Status(BENTO_CANCELLED, "nobody waits for the call any more"));
  fail_later_locked(failures, method, std::move(past_deadline),
                    Status(BENTO_DEADLINE_EXCEEDED,
                           "no worker of runner " + spec_.name + " was free before the deadline"));
  fail_later_locked(failures, method, std::move(past_latency),
                    Status(BENTO_RESOURCE_EXHAUSTED, "the call waited longer for runner " +
                                                         spec_.name + " than its max_latency_ms"));
}

bool Pool::all_gone_locked() const {
  return std::all_of(slots_.begin(), slots_.end(),
                     [](const Slot& slot) { return slot.worker == nullptr && !slot.is_spawning; });
}

bool Pool::hopeless_locked() const {
  return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) {
    return slot.gave_up || (slot.backoff.hopeless() && slot.worker == nullptr && !slot.is_spawning);
  });
}

std::string Pool::why_not_ready_locked() const {
  std::string why;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    why += (why.empty() ? "worker " : "; worker ") + std::to_string(i);
    if (slot.gave_up) {
      why += " failed for good: it " + slot.last_end;
    } else if (slot.worker != nullptr) {
      why += slot.worker->is_undying                        ? " does not die of SIGKILL"
             : slot.worker->state == Worker::State::kEnding ? " is ending"
                                                            : " is starting";
    } else {
      const bool is_new = slot.is_spawning || slot.last_end.empty();
      why += is_new ? " is starting" : " will be started again";
    }
    if (!slot.gave_up && !slot.last_end.empty()) why += " (it " + slot.last_end + ")";
  }
  return why;
}

// ---- sending and completing ------------------------------------------------------------------

void Pool::send(Dispatch dispatch) {
  thread_local AlignedBuffer frame;
  while (dispatch) {
    const std::int32_t axis = spec_.methods[dispatch.batch->method].axis_in;
    bool is_encoded = false;
    try {
      is_encoded = encode_batch(*dispatch.batch, axis, frame);
      if (is_encoded) dispatch.worker->to.send(frame);
    } catch (const std::bad_alloc&) {
      // Part of a frame may be on its way already: then nothing else can follow it.
      if (is_encoded) {
        deps_.loop.post([worker = dispatch.worker, now = deps_.clock.now()] {
          worker->kill(now, "there was no memory to send it a batch");
        });
      }
    }
    dispatch = is_encoded ? Dispatch() : refuse_to_send(dispatch);
    frame.clear();
    if (frame.capacity() > kKeptFrameBytes) AlignedBuffer().swap(frame);
  }
}

// The worker has not heard of the batch: it is idle again, and may take the next.
Pool::Dispatch Pool::refuse_to_send(const Dispatch& dispatch) {
  Failures failures;
  Dispatch next;
  {
    std::lock_guard lock(mutex_);
    Worker& worker = *dispatch.worker;
    if (worker.batch != dispatch.batch) return {};  // it died, and its calls were seen to
    worker.batch = nullptr;
    if (worker.state == Worker::State::kBusy) {
      worker.state = Worker::State::kIdle;
      worker.kill_at = kNoDeadline;
    }
    const std::vector<CallPtr>& calls = dispatch.batch->calls;
    if (calls.size() == 1) {
      fail_later_locked(
          failures, methods_[dispatch.batch->method], calls,
          Status::with_http(413, BENTO_RESOURCE_EXHAUSTED,
                            "the inputs of runner " + spec_.name + " are too large to be sent"));
    } else {  // together; each by itself may fit
      for (auto it = calls.rbegin(); it != calls.rend(); ++it) {
        if ((*it)->finished) continue;
        (*it)->alone = true;
        methods_[dispatch.batch->method].queue.push_front(*it);
      }
    }
    next = take_dispatch_locked(deps_.clock.now(), failures);
  }
  complete(failures);
  return next;
}

void Pool::complete(const Failures& failures) {
  for (const Failure& failure : failures) {
    for (const CallPtr& call : failure.calls) {
      // A worker may have the call for long yet; whoever made it is let go now.
      const Done done = std::exchange(call->done, nullptr);
      done({failure.status, {}});
    }
  }
}

// ---- time ------------------------------------------------------------------------------------

bool Pool::tick(TimePoint now) {
  Failures failures;
  bool need = false;
  std::vector<std::uint32_t> due;
  std::vector<WorkerPtr> ended;
  {
    std::lock_guard lock(mutex_);
    for (std::uint32_t i = 0; i < slots_.size(); ++i) {
      Slot& slot = slots_[i];
      if (slot.worker != nullptr) {
        tick_worker_locked(*slot.worker, now, failures);
        need = need || slot.worker->batch != nullptr || slot.worker->kill_at != kNoDeadline ||
               slot.worker->relax_priority_at != kNoDeadline ||
               slot.worker->state == Worker::State::kEnding;
        // Nothing else tells of its end.
        if (!slot.worker->pidfd && slot.worker->state == Worker::State::kEnding &&
            slot.worker->pid > 0 && has_ended(slot.worker->pid)) {
          ended.push_back(slot.worker);
        }
      } else if (!slot.gave_up && !stopping_ && slot.restart_at != TimePoint{}) {
        need = true;
        if (now >= slot.restart_at) due.push_back(i);
      }
    }
    for (Method& method : methods_) {
      if (method.queue.size() == 0) continue;
      need = true;
      std::vector<CallPtr> dropped;
      method.queue.expire(now, dropped);
      drop_locked(method, std::move(dropped), failures, now);
      show_queue(method);
    }
  }
  complete(failures);
  for (const WorkerPtr& worker : ended) on_readable(worker, true);
  for (const std::uint32_t index : due) spawn(index);
  return need;
}

void Pool::tick_worker_locked(Worker& worker, TimePoint now, Failures& failures) {
  if (worker.batch != nullptr) {
    for (const CallPtr& call : worker.batch->calls) {
      if (now < call->deadline) continue;
      fail_later_locked(
          failures, methods_[worker.batch->method], {call},
          Status(BENTO_DEADLINE_EXCEEDED, "runner " + spec_.name + "." +
                                              spec_.methods[worker.batch->method].name +
                                              " did not answer before the deadline"));
    }
  }
  if (now >= worker.relax_priority_at) {
    worker.relax_priority_at = kNoDeadline;
    relax_priority(worker.pid);
  }
  if (!worker.killed_for.empty()) return report_undying_locked(worker, now);
  if (now < worker.kill_at) return;
  worker.kill(now, worker.batch != nullptr ? "it did not answer before its deadline"
                                           : "it closed its output and did not end");
  worker.state = Worker::State::kEnding;
}

}  // namespace bentohost::runner
