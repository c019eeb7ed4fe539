#include "runner/worker_set.h"

#include <prometheus/gauge.h>
#include <signal.h>
#include <sys/wait.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/mutex.h"
#include "base/process/low_priority.h"
#include "base/process/process_exit.h"
#include "runner/metrics_report.h"

namespace bentohost::runner {
namespace {

constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h: trying again is useless

}  // namespace

WorkerSet::WorkerSet(Options options, Deps deps, Owner& owner)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      arena_metrics_(deps_.metrics.arenas({options_.service, options_.runner})),
      owner_(owner),
      slots_(options_.workers) {
  // Creates the series, which start at 0.
  for (std::uint32_t i = 0; i < options_.workers; ++i) deps_.metrics.runner_up(name(), i);
}

// ---- work --------------------------------------------------------------------------------------

void WorkerSet::assign_locked(Worker& worker, std::shared_ptr<const Batch> batch) {
  worker.state = Worker::State::kBusy;
  worker.kill_at = batch->is_engines() || batch->last_deadline == kNoDeadline
                       ? kNoDeadline
                       : batch->last_deadline + options_.kill_grace;
  worker.in_flight.push_back(std::move(batch));
}

std::shared_ptr<const Batch> WorkerSet::find(const Worker& worker, std::uint64_t batch) {
  for (const auto& each : worker.in_flight) {
    if (each->id == batch) return each;
  }
  return nullptr;
}

void WorkerSet::remove_locked(Worker& worker, const Batch& batch) {
  std::erase_if(worker.in_flight, [&batch](const auto& each) { return each.get() == &batch; });
  (void)worker.arenas->end_batch(batch.id);
}

std::shared_ptr<const Batch> WorkerSet::finish_locked(Worker& worker, std::uint64_t batch) {
  auto finished = find(worker, batch);
  if (finished == nullptr) return nullptr;
  remove_locked(worker, *finished);
  worker.served = true;
  // A worker that is already ending gets no more work, and its time to end runs on.
  if (worker.state == Worker::State::kBusy && worker.in_flight.empty()) {
    worker.kill_at = kNoDeadline;
    if (is_stopping_) {
      end_locked(worker);
    } else {
      worker.state = Worker::State::kIdle;
    }
  }
  return finished;
}

bool WorkerSet::take_back_locked(Worker& worker, const std::shared_ptr<const Batch>& batch) {
  if (find(worker, batch->id) != batch) return false;
  remove_locked(worker, *batch);
  if (worker.state == Worker::State::kBusy && worker.in_flight.empty()) {
    worker.state = Worker::State::kIdle;
    worker.kill_at = kNoDeadline;
  }
  return true;
}

void WorkerSet::kill_soon(const WorkerPtr& worker, const char* why) {
  deps_.loop.post([worker, why, now = deps_.clock.now()] { worker->kill(now, why); });
}

Batches WorkerSet::take_batches_locked(Worker& worker) {
  if (!worker.in_flight.empty()) worker.served = true;  // so its start did not fail
  return std::exchange(worker.in_flight, {});
}

Failures WorkerSet::lose(const Worker& worker, const Batches& batches, const std::string& why) {
  Failures all;
  // 502: the worker did reply, but the reply is malformed.
  const Status status = Status::with_http(worker.broke_protocol ? 502 : 503, BENTO_UNAVAILABLE,
                                          "runner " + options_.runner + " " + why);
  // From the last on: each is put in front of the queue.
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    for (Failure& failure : owner_.on_lost(**batch, status)) all.push_back(std::move(failure));
  }
  return all;
}

// ---- start -------------------------------------------------------------------------------------

void WorkerSet::start(std::weak_ptr<const void> owner) {
  lifetime_ = std::move(owner);
  for (std::uint32_t i = 0; i < options_.workers; ++i) spawn(i);
}

void WorkerSet::spawn(std::uint32_t index) {
  bool is_low_priority = false;
  {
    const MutexLock lock(mutex_);
    if (is_stopping_) return;
    WorkerSlot& slot = slots_[index];
    is_low_priority = options_.starts_at_low_priority && !std::exchange(slot.has_begun, true);
    slot.restart_at = {};
    slot.is_spawning = true;
  }
  // `this` is valid as long as its owner lives.
  deps_.spawner.spawn(options_.runner, index, is_low_priority,
                      [this, loop = &deps_.loop, index, lifetime = lifetime_](Result<Child> child) {
                        auto arrived = std::make_shared<Result<Child>>(std::move(child));
                        loop->post([this, arrived = std::move(arrived), loop, index, lifetime] {
                          const auto owner = lifetime.lock();
                          if (owner != nullptr && !is_over_)
                            return on_spawned(index, std::move(*arrived));
                          if (!arrived->ok() || (*arrived)->pid <= 0) return;
                          restore_priority((*arrived)->pid);  // we wait for its end
                          ::kill((*arrived)->pid, SIGKILL);
                          reap_later(*loop, (*arrived)->pid, std::move((*arrived)->pidfd));
                        });
                      });
}

void WorkerSet::on_spawned(std::uint32_t index, Result<Child> child) {
  MutexLock lock(mutex_);
  WorkerSlot& slot = slots_[index];
  slot.is_spawning = false;
  if (!child.ok()) {
    slot.last_end = "could not be started: " + child.status().message();
    slot.restart_at = deps_.clock.now() + slot.backoff.next(false);
    lock.unlock();
    log_error("cannot start a runner process: " + child.status().message(),
              {{"service", options_.service}, {"runner", options_.runner}});
    return owner_.on_gone();
  }
  slot.worker = std::make_shared<Worker>(deps_.loop, options_.service, options_.runner, index,
                                         *std::move(child), deps_.arenas, arena_metrics_);
  const WorkerPtr worker = slot.worker;
  const TimePoint now = deps_.clock.now();
  if (worker->is_low_priority) worker->relax_priority_at = now + kLowPriorityTime;
  // Passing `this` is safe: the pipes are unwatched on the loop before the owner is released.
  const Status watched = watch_pipes(worker, deps_.loop, deps_.clock, *this);
  if (!watched.ok() || is_stopping_) {
    end_locked(*worker);
    worker->kill_at = now;
    lock.unlock();
    worker->kill(now, watched.ok() ? "nobody needs it any more"
                                   : "its pipes cannot be watched: " + watched.message());
    if (!watched.ok() && !worker->has_process()) on_ended(worker);
    return;
  }
  lock.unlock();

  AlignedBuffer frame;
  wire::FrameWriter hello(frame, wire::FrameType::kHello, 0, 0);
  hello.text(options_.hello);
  (void)hello.finish();
  worker->to.send(frame);
}

// ---- frames ------------------------------------------------------------------------------------

void WorkerSet::on_frame(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  switch (frame.header.type) {
    case wire::FrameType::kReady:
      return on_ready(*worker);
    case wire::FrameType::kResult:
      return on_result(worker, frame);
    case wire::FrameType::kError:
      return on_error(worker, frame);
    case wire::FrameType::kReport:
      return on_report(worker, frame);
    case wire::FrameType::kNoArena:
      return on_no_arena(worker, frame.header.id);
    default:
      return on_protocol_error(worker, "it sent a frame that only the host sends");
  }
}

void WorkerSet::on_ready(Worker& worker) {
  bool again = false;
  {
    const MutexLock lock(mutex_);
    if (worker.state != Worker::State::kStarting) return;
    worker.relax_priority_at = kNoDeadline;
    worker.state = Worker::State::kIdle;
    worker.was_up = true;
    again = !std::exchange(slots_[worker.index].last_end, {}).empty();
  }
  if (std::exchange(worker.is_low_priority, false)) restore_priority(worker.pid);
  deps_.metrics.runner_up(name(), worker.index).Increment();
  log(again ? LogLevel::kInfo : LogLevel::kDebug, again ? "runner serves again" : "runner is ready",
      {{"service", options_.service}, {"runner", options_.runner}, {"worker", worker.index}});
  owner_.on_ready();
}

void WorkerSet::on_result(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  ResultArenas arenas(*worker->arenas);
  if (Status status = wire::decode_result(frame.body, decoded_, &arenas); !status.ok())
    return on_protocol_error(worker, status.message());
  ResultFrame result(worker->reader, frame, arenas.take_claims());
  const bool is_known = frame.header.more
                            ? owner_.on_part(*worker, frame.header.id, decoded_.values, result)
                            : owner_.on_result(*worker, frame.header.id, decoded_, result);
  if (!is_known) on_protocol_error(worker, "it answered a call that is not in flight");
}

void WorkerSet::on_no_arena(const WorkerPtr& worker, std::uint64_t batch) {
  worker->arenas->disable();
  const bool had_arenas = worker->arenas->end_batch(batch);
  if (!had_arenas || !owner_.on_no_arena(worker, batch))
    on_protocol_error(worker, "it misses arenas that it was not sent");
}

void WorkerSet::on_arena_message(const WorkerPtr& worker) {
  bool has_batch = false;
  {
    const MutexLock lock(mutex_);
    has_batch = !worker->in_flight.empty();
  }
  std::string bad;
  if (worker->arenas->answer(has_batch, bad)) return;
  deps_.loop.unwatch(worker->arenas->channel());
  if (!bad.empty()) on_protocol_error(worker, bad);
}

void WorkerSet::on_error(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  Status status = wire::decode_error(frame.body);
  if (frame.header.id == 0) {
    worker->start_error = status.message();  // it ends now, and on_ended() reports it
    return;
  }
  if (!owner_.on_error(*worker, frame.header.id, status))
    on_protocol_error(worker, "it failed a call that is not in flight");
}

void WorkerSet::on_report(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  {
    const TimePoint now = deps_.clock.now();
    const MutexLock lock(mutex_);
    worker->heard_at = now;
  }
  const std::string_view report(frame.body.data(), frame.body.size());
  const Status status =
      apply_report(report, {options_.service, options_.runner, worker->index, worker.get()},
                   deps_.metrics.custom());
  if (status.ok() || std::exchange(worker->has_failed_to_report, true)) return;
  log(LogLevel::kWarning, "metrics of a runner are not counted: " + status.message(),
      {{"service", options_.service}, {"runner", options_.runner}, {"worker", worker->index}});
}

// ---- ends --------------------------------------------------------------------------------------

void WorkerSet::on_closed_pipe(const WorkerPtr& worker) {
  if (!worker->has_process()) return on_ended(worker);
  // The worker is ending. Its pidfd, or a check at each tick, will report the end with the real
  // exit code; otherwise the worker will be killed for hanging.
  const MutexLock lock(mutex_);
  worker->state = Worker::State::kEnding;
  worker->kill_at = deps_.clock.now() + options_.kill_grace;
}

void WorkerSet::on_no_memory(const WorkerPtr& worker) {
  end_at_once(worker, "there was no memory for its answer");
}

void WorkerSet::on_protocol_error(const WorkerPtr& worker, const std::string& what) {
  log_error("runner broke the protocol: " + what,
            {{"service", options_.service}, {"runner", options_.runner}});
  worker->broke_protocol = true;
  end_at_once(worker, "it broke the protocol: " + what);
}

// Kills the worker and completes its calls at once; its end is reported like any other.
void WorkerSet::end_at_once(const WorkerPtr& worker, const std::string& why) {
  deps_.loop.unwatch(worker->from.get());
  const TimePoint now = deps_.clock.now();
  worker->kill(now, why);
  Batches batches;
  {
    const MutexLock lock(mutex_);
    worker->state = Worker::State::kEnding;
    worker->kill_at = now;
    batches = take_batches_locked(*worker);
  }
  complete(lose(*worker, batches, "was killed by the host: " + worker->killed_for));
  if (!worker->has_process()) on_ended(worker);
}

// The worker's process, if there is one, has ended.
void WorkerSet::on_ended(const WorkerPtr& worker) {
  if (std::exchange(worker->dead, true)) return;
  unwatch_pipes(*worker, deps_.loop);
  int status = kNoStatus;
  if (worker->pid > 0) {
    const auto reaped = reap(worker->pid);
    status = reaped.value_or(kNoStatus);
    // A tracer of the process (a debugger, strace) reaps it first.
    if (!reaped) reap_later(deps_.loop, worker->pid, std::move(worker->pidfd));
  }
  const TimePoint now = deps_.clock.now();
  read_last_lines(*worker, now);
  worker->arenas->close();

  std::string end = !worker->killed_for.empty() ? "was killed by the host: " + worker->killed_for
                    : status < 0                ? std::string("is gone")
                                                : exit_text(status);
  if (!worker->start_error.empty()) end += ": " + worker->start_error;

  Batches batches;
  bool expected = false;
  {
    const MutexLock lock(mutex_);
    WorkerSlot& slot = slots_[worker->index];
    expected = is_stopping_;
    worker->state = Worker::State::kEnding;
    slot.worker = nullptr;
    slot.last_end = end;
    slot.gave_up = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == kExitConfig;
    batches = take_batches_locked(*worker);
    if (!is_stopping_ && !slot.gave_up) {
      // Even a restart that is due now is left to a tick, after this round's events: the numbers of
      // descriptors that are closed in a round must not be reused in the same round.
      slot.restart_at = now + slot.backoff.next(worker->served);
    }
  }
  const Failures failures = lose(*worker, batches, end);
  forget_worker({options_.service, options_.runner, worker->index, worker.get()},
                deps_.metrics.custom());
  if (worker->was_up) deps_.metrics.runner_up(name(), worker->index).Decrement();
  if (!expected) report_death(*worker, status, end);
  complete(failures);
  owner_.on_gone();
}

void WorkerSet::report_death(const Worker& worker, int status, const std::string& end) {
  const std::string reason = worker.broke_protocol        ? "protocol"
                             : !worker.killed_for.empty() ? "killed"
                             : status < 0                 ? "gone"
                                                          : exit_label(status);
  deps_.metrics.count_runner_restart(name(), reason);
  const std::string last_lines = worker.stderr_relay.last_lines();
  log_error("runner ended: it " + end, {{"service", options_.service},
                                        {"runner", options_.runner},
                                        {"worker", worker.index},
                                        {"pid", worker.pid},
                                        {"last_output", last_lines.empty() ? "none" : last_lines}});
}

void WorkerSet::end_locked(Worker& worker) {
  worker.state = Worker::State::kEnding;
  worker.to.close();
}

void WorkerSet::end_idle() {
  const MutexLock lock(mutex_);
  for (const WorkerSlot& slot : slots_) {
    if (slot.worker != nullptr && slot.worker->state != Worker::State::kBusy)
      end_locked(*slot.worker);
  }
}

void WorkerSet::kill_all(const std::string& why) {
  const MutexLock lock(mutex_);
  for (const WorkerSlot& slot : slots_) {
    if (slot.worker != nullptr) slot.worker->kill(deps_.clock.now(), why);
  }
}

void WorkerSet::leave_behind() {
  is_over_ = true;
  Failures failures;
  for (std::uint32_t i = 0; i < options_.workers; ++i) {
    WorkerPtr worker;
    Batches batches;
    {
      const MutexLock lock(mutex_);
      worker = std::exchange(slots_[i].worker, nullptr);
      if (worker == nullptr) continue;
      batches = take_batches_locked(*worker);
    }
    worker->dead = true;
    for (Failure& failure :
         lose(*worker, batches, "is shutting down, and its process does not die")) {
      failures.push_back(std::move(failure));
    }
    unwatch_pipes(*worker, deps_.loop);
    worker->arenas->close();
    if (worker->was_up) deps_.metrics.runner_up(name(), worker->index).Decrement();
    log_error("a runner process does not die of SIGKILL and is left behind",
              {{"service", options_.service},
               {"runner", options_.runner},
               {"worker", worker->index},
               {"pid", worker->pid}});
    reap_later(deps_.loop, worker->pid, std::move(worker->pidfd));
  }
  complete(failures);
}

}  // namespace bentohost::runner
