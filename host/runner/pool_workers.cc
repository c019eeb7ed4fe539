// Pool, the half that deals with its worker processes: their start, their frames and their end. All
// of it runs on the event loop.
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <new>
#include <utility>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/process/low_priority.h"
#include "base/process/process_exit.h"
#include "runner/pool.h"

namespace bentohost::runner {
namespace {

constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h: trying again is useless
// A pipe is drained in so many reads at a time, so that a worker that floods it cannot keep the
// loop.
constexpr int kReadsPerEvent = 16;

}  // namespace

void Pool::spawn(std::uint32_t index) {
  bool is_low_priority = false;
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    Slot& slot = slots_[index];
    is_low_priority = options_.starts_at_low_priority && !std::exchange(slot.has_begun, true);
    slot.restart_at = {};
    slot.is_spawning = true;
  }
  deps_.spawner.spawn(spec_.name, index, is_low_priority,
                      [loop = &deps_.loop, index, weak = weak_from_this()](Result<Child> child) {
                        auto arrived = std::make_shared<Result<Child>>(std::move(child));
                        loop->post([arrived = std::move(arrived), loop, index, weak] {
                          const auto pool = weak.lock();
                          if (pool != nullptr && !pool->is_over_) {
                            return pool->on_spawned(index, std::move(*arrived));
                          }
                          if (!arrived->ok() || (*arrived)->pid <= 0) return;
                          restore_priority((*arrived)->pid);  // its end is waited for
                          ::kill((*arrived)->pid, SIGKILL);
                          reap_later(*loop, (*arrived)->pid, std::move((*arrived)->pidfd));
                        });
                      });
}

void Pool::on_spawned(std::uint32_t index, Result<Child> child) {
  std::unique_lock lock(mutex_);
  Slot& slot = slots_[index];
  slot.is_spawning = false;
  if (!child.ok()) {
    Failures failures;
    slot.last_end = "could not be started: " + child.status().message();
    slot.restart_at = deps_.clock.now() + slot.backoff.next(false);
    fail_queues_if_hopeless_locked(failures);
    lock.unlock();
    log_error("cannot start a runner process: " + child.status().message(),
              {{"service", options_.service}, {"runner", spec_.name}});
    complete(failures);
    worker_gone_.notify_all();
    return;
  }
  slot.worker =
      std::make_shared<Worker>(deps_.loop, options_.service, spec_.name, index, *std::move(child));
  const WorkerPtr worker = slot.worker;
  const TimePoint now = deps_.clock.now();
  if (worker->is_low_priority) worker->relax_priority_at = now + kLowPriorityTime;
  const Status watched = watch(worker);
  if (!watched.ok() || stopping_) {
    end_locked(*worker);
    worker->kill_at = now;
    lock.unlock();
    worker->kill(now, watched.ok() ? "nobody needs it any more"
                                   : "its pipes cannot be watched: " + watched.message());
    if (!watched.ok() && !worker->has_process()) on_death(worker);
    return;
  }
  lock.unlock();

  AlignedBuffer frame;
  wire::FrameWriter hello(frame, wire::FrameType::kHello, 0, 0);
  hello.text(options_.hello);
  (void)hello.finish();
  worker->to.send(frame);
}

// By `this`: unwatch() takes them back on the loop before stop() lets the pool go. An error leaves
// some that are never called, but for the end of the process.
Status Pool::watch(const WorkerPtr& worker) {
  EventLoop& loop = deps_.loop;
  if (worker->pidfd) {
    Status status = loop.watch(worker->pidfd.get(), EPOLLIN,
                               [this, worker](std::uint32_t) { on_readable(worker, true); });
    if (!status.ok()) worker->pidfd.reset();  // then it is tick() that hears of the end
  }
  Status status = loop.watch(worker->from.get(), EPOLLIN,
                             [this, worker](std::uint32_t) { on_readable(worker, false); });
  if (!status.ok()) return status;
  status =
      loop.watch(worker->err.get(), EPOLLIN, [this, worker](std::uint32_t) { on_stderr(worker); });
  if (!status.ok()) return status;
  return worker->to.watch([this, worker] {
    worker->to.close();
    on_closed_pipe(worker);
  });
}

void Pool::unwatch(Worker& worker) {
  for (const int fd : {worker.from.get(), worker.err.get(), worker.pidfd.get()}) {
    if (fd >= 0) deps_.loop.unwatch(fd);
  }
  worker.to.close();
}

void Pool::on_readable(const WorkerPtr& worker, bool ended) {
  if (worker->broke_protocol) return on_death(worker);  // nothing that it says is heard any more
  for (int i = 0; i < kReadsPerEvent; ++i) {
    std::span<char> room;
    try {
      room = worker->reader.writable();
    } catch (const std::bad_alloc&) {
      return ended ? on_death(worker) : end_at_once(worker, "there was no memory for its answer");
    }
    const ssize_t n = ::read(worker->from.get(), room.data(), room.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN && !ended) return;
    if (n <= 0 && ended) return on_death(worker);
    if (n <= 0) {
      deps_.loop.unwatch(worker->from.get());
      return on_closed_pipe(worker);
    }
    worker->reader.commit(static_cast<std::size_t>(n));
    for (;;) {
      auto frame = worker->reader.next();
      if (!frame.ok()) return on_protocol_error(worker, frame.status().message());
      if (!(*frame).has_value()) break;
      on_frame(worker, **frame);
      if (worker->dead || worker->broke_protocol) return;
    }
    if (static_cast<std::size_t>(n) < room.size() && !ended) return worker->reader.recycle();
  }
}

void Pool::on_closed_pipe(const WorkerPtr& worker) {
  if (!worker->has_process()) return on_death(worker);
  // It is ending, and its pidfd, or a look at it at each tick, will say so with the real exit code;
  // or it will be killed for hanging.
  std::lock_guard lock(mutex_);
  worker->state = Worker::State::kEnding;
  worker->kill_at = deps_.clock.now() + options_.kill_grace;
}

void Pool::on_frame(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  switch (frame.header.type) {
    case wire::FrameType::kReady:
      return on_ready(worker);
    case wire::FrameType::kResult:
      return on_result(worker, frame);
    case wire::FrameType::kError:
      return on_error(worker, frame);
    default:
      return on_protocol_error(worker, "it sent a frame that only the host sends");
  }
}

void Pool::on_ready(const WorkerPtr& worker) {
  Failures failures;
  Dispatch dispatch;
  bool again = false;
  {
    std::lock_guard lock(mutex_);
    if (worker->state != Worker::State::kStarting) return;
    worker->relax_priority_at = kNoDeadline;
    worker->state = Worker::State::kIdle;
    worker->was_up = true;
    again = !std::exchange(slots_[worker->index].last_end, {}).empty();
    dispatch = take_dispatch_locked(deps_.clock.now(), failures);
  }
  if (std::exchange(worker->is_low_priority, false)) restore_priority(worker->pid);
  deps_.metrics.runner_up(name(), worker->index).Increment();
  log(again ? LogLevel::kInfo : LogLevel::kDebug, again ? "runner serves again" : "runner is ready",
      {{"service", options_.service}, {"runner", spec_.name}, {"worker", worker->index}});
  if (dispatch) send(dispatch);
  complete(failures);
}

std::shared_ptr<const Batch> Pool::finish_batch(const WorkerPtr& worker, std::uint64_t id) {
  std::shared_ptr<const Batch> batch;
  Failures failures;
  Dispatch dispatch;
  const TimePoint now = deps_.clock.now();
  {
    std::lock_guard lock(mutex_);
    if (worker->batch == nullptr || worker->batch->id != id) return nullptr;
    batch = std::move(worker->batch);
    worker->served = true;
    // One that is ending already gets no more work, and its time to end runs on.
    if (worker->state == Worker::State::kBusy) {
      worker->kill_at = kNoDeadline;
      if (stopping_) {
        end_locked(*worker);
      } else {
        worker->state = Worker::State::kIdle;
        dispatch = take_dispatch_locked(now, failures);
      }
    }
  }
  // The next batch first: the worker computes while the answers to this one are written.
  if (dispatch) send(dispatch);
  complete(failures);
  methods_[batch->method].metrics.run_duration->Observe(seconds(now - batch->sent));
  return batch;
}

void Pool::on_result(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  if (Status status = wire::decode_result(frame.body, decoded_); !status.ok()) {
    return on_protocol_error(worker, status.message());
  }
  const auto batch = finish_batch(worker, frame.header.id);
  if (batch == nullptr)
    return on_protocol_error(worker, "it answered a call that is not in flight");

  const plugin::MethodSpec& method = spec_.methods[batch->method];
  // Others were told before that it takes too long.
  const auto waiting = std::count_if(batch->calls.begin(), batch->calls.end(),
                                     [](const CallPtr& call) { return !call->finished; });
  Status status = deliver_batch(*batch, decoded_.values, method.axis_out);
  if (status.ok()) {
    return methods_[batch->method].metrics.calls_ok->Increment(static_cast<double>(waiting));
  }
  Failures failures;
  {
    std::lock_guard lock(mutex_);
    fail_later_locked(
        failures, methods_[batch->method], batch->calls,
        Status::with_http(502, BENTO_INTERNAL,
                          "runner " + spec_.name + "." + method.name + ": " + status.message()));
  }
  complete(failures);
}

void Pool::on_error(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) {
  Status status = wire::decode_error(frame.body);
  if (frame.header.id == 0) {
    worker->start_error = status.message();  // it ends now, and on_death reports it
    return;
  }
  const auto batch = finish_batch(worker, frame.header.id);
  if (batch == nullptr) return on_protocol_error(worker, "it failed a call that is not in flight");
  Failures failures;
  {
    std::lock_guard lock(mutex_);
    // One caller's bad rows must not fail the others that happened to share its batch.
    if (batch->calls.size() > 1) {
      rescue_locked(*batch, status, failures);
    } else {
      fail_later_locked(failures, methods_[batch->method], batch->calls, status);
    }
  }
  dispatch_all();
  complete(failures);
}

void Pool::on_stderr(const WorkerPtr& worker) {
  std::array<char, 16384> buffer;
  const ssize_t n = ::read(worker->err.get(), buffer.data(), buffer.size());
  if (n > 0) {
    worker->stderr_relay.feed({buffer.data(), static_cast<std::size_t>(n)}, deps_.clock.now());
  } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
    deps_.loop.unwatch(worker->err.get());
  }
}

void Pool::on_protocol_error(const WorkerPtr& worker, const std::string& what) {
  log_error("runner broke the protocol: " + what,
            {{"service", options_.service}, {"runner", spec_.name}});
  worker->broke_protocol = true;
  end_at_once(worker, "it broke the protocol: " + what);
}

// It is killed, and its calls are answered at once; its end is heard of like any other.
void Pool::end_at_once(const WorkerPtr& worker, const std::string& why) {
  deps_.loop.unwatch(worker->from.get());
  const TimePoint now = deps_.clock.now();
  worker->kill(now, why);
  Failures failures;
  {
    std::lock_guard lock(mutex_);
    worker->state = Worker::State::kEnding;
    worker->kill_at = now;
    lose_batch_locked(*worker, "was killed by the host: " + worker->killed_for, failures);
  }
  dispatch_all();  // what was rescued goes to those that are idle
  complete(failures);
  if (!worker->has_process()) on_death(worker);
}

void Pool::lose_batch_locked(Worker& worker, const std::string& why, Failures& failures) {
  const auto batch = std::exchange(worker.batch, nullptr);
  if (batch == nullptr) return;
  worker.served = true;  // it was not its start that failed
  // 502: it did answer, but nobody can make sense of it.
  rescue_locked(*batch,
                Status::with_http(worker.broke_protocol ? 502 : 503, BENTO_UNAVAILABLE,
                                  "runner " + spec_.name + " " + why),
                failures);
}

// Its process, if there is one, has ended.
void Pool::on_death(const WorkerPtr& worker) {
  if (std::exchange(worker->dead, true)) return;
  unwatch(*worker);
  int status = kNoStatus;
  if (worker->pid > 0) {
    const auto reaped = reap(worker->pid);
    status = reaped.value_or(kNoStatus);
    // Whoever traces it has it first.
    if (!reaped) reap_later(deps_.loop, worker->pid, std::move(worker->pidfd));
  }
  const TimePoint now = deps_.clock.now();
  std::array<char, 16384> buffer;
  for (int i = 0; i < kReadsPerEvent; ++i) {  // its last words, and they may be many
    const ssize_t n = ::read(worker->err.get(), buffer.data(), buffer.size());
    if (n <= 0) break;
    worker->stderr_relay.feed({buffer.data(), static_cast<std::size_t>(n)}, now);
  }
  worker->stderr_relay.finish(now);

  std::string end = !worker->killed_for.empty() ? "was killed by the host: " + worker->killed_for
                    : status < 0                ? std::string("is gone")
                                                : exit_text(status);
  if (!worker->start_error.empty()) end += ": " + worker->start_error;

  Failures failures;
  bool expected = false;
  {
    std::lock_guard lock(mutex_);
    Slot& slot = slots_[worker->index];
    expected = stopping_;
    worker->state = Worker::State::kEnding;
    slot.worker = nullptr;
    slot.last_end = end;
    slot.gave_up = status >= 0 && WIFEXITED(status) && WEXITSTATUS(status) == kExitConfig;
    lose_batch_locked(*worker, end, failures);
    if (!stopping_ && !slot.gave_up) {
      // Even when that is now, it is tick() that does it, after this round's events: descriptors
      // that are closed in a round must not come up again in it under the same numbers.
      slot.restart_at = now + slot.backoff.next(worker->served);
    }
    fail_queues_if_hopeless_locked(failures);
  }
  dispatch_all();  // what was rescued goes to those that are idle
  if (worker->was_up) deps_.metrics.runner_up(name(), worker->index).Decrement();
  if (!expected) {
    const std::string reason = worker->broke_protocol        ? "protocol"
                               : !worker->killed_for.empty() ? "killed"
                               : status < 0                  ? "gone"
                                                             : exit_label(status);
    deps_.metrics.count_runner_restart(name(), reason);
    const std::string last_lines = worker->stderr_relay.last_lines();
    log_error("runner ended: it " + end,
              {{"service", options_.service},
               {"runner", spec_.name},
               {"worker", worker->index},
               {"pid", worker->pid},
               {"last_output", last_lines.empty() ? "none" : last_lines}});
  }
  complete(failures);
  worker_gone_.notify_all();
}

void Pool::end_locked(Worker& worker) {
  worker.state = Worker::State::kEnding;
  worker.to.close();
}

void Pool::leave_behind() {
  is_over_ = true;
  if (ticker_ != 0) deps_.loop.remove_ticker(std::exchange(ticker_, 0));
  Failures failures;
  {
    std::lock_guard lock(mutex_);
    for (Slot& slot : slots_) {
      const WorkerPtr worker = std::exchange(slot.worker, nullptr);
      if (worker == nullptr) continue;
      worker->dead = true;
      lose_batch_locked(*worker, "is shutting down, and its process does not die", failures);
      unwatch(*worker);
      if (worker->was_up) deps_.metrics.runner_up(name(), worker->index).Decrement();
      log_error("a runner process does not die of SIGKILL and is left behind",
                {{"service", options_.service},
                 {"runner", spec_.name},
                 {"worker", worker->index},
                 {"pid", worker->pid}});
      reap_later(deps_.loop, worker->pid, std::move(worker->pidfd));
    }
  }
  complete(failures);
}

void Pool::rescue_locked(const Batch& batch, const Status& status, Failures& failures) {
  Method& method = methods_[batch.method];
  std::vector<CallPtr> lost;
  for (auto it = batch.calls.rbegin(); it != batch.calls.rend(); ++it) {
    const CallPtr& call = *it;
    if (call->finished) continue;
    if (!spec_.methods[batch.method].idempotent || call->retried || stopping_) {
      lost.push_back(call);
      continue;
    }
    call->retried = call->alone = true;
    method.queue.push_front(call);
  }
  fail_later_locked(failures, method, std::move(lost), status);
}

// Its place stays empty until it has died: it may hold what the next one would need, and there
// would be no end of such processes.
void Pool::report_undying_locked(Worker& worker, TimePoint now) {
  if (worker.is_undying || now - worker.killed_at < options_.kill_grace) return;
  worker.is_undying = true;
  log_error(
      "a runner process does not die of SIGKILL: it hangs in the kernel, as in a file system "
      "or a driver; it is replaced when it has died",
      {{"service", options_.service},
       {"runner", spec_.name},
       {"worker", worker.index},
       {"pid", worker.pid}});
}

}  // namespace bentohost::runner
