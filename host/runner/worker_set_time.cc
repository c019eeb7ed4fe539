// The time limits of workers: priorities, hangs, restarts.
#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "base/loop/child_end.h"
#include "base/mutex.h"
#include "base/process/low_priority.h"
#include "runner/worker_set.h"

namespace bentohost::runner {

bool WorkerSet::tick_slot_locked(WorkerSlot& slot, TimePoint now, Due& due) {
  if (slot.worker == nullptr) {
    if (is_stopping_ || !slot.is_waiting()) return false;
    if (now >= slot.restart_at) due.slots.push_back(static_cast<std::uint32_t>(&slot - &slots_[0]));
    return true;
  }
  Worker& worker = *slot.worker;
  tick_worker_locked(worker, now);
  const bool has_arenas =
      worker.arenas->trim(now, worker.state == Worker::State::kIdle, due.arenas);
  const bool is_ending = worker.state == Worker::State::kEnding;
  // Without a pidfd, nothing else reports its end.
  if (!worker.pidfd && is_ending && worker.pid > 0 && has_ended(worker.pid))
    due.ended.push_back(slot.worker);
  return has_arenas || !worker.in_flight.empty() || worker.kill_at != kNoDeadline ||
         worker.relax_priority_at != kNoDeadline || is_ending;
}

void WorkerSet::tick_worker_locked(Worker& worker, TimePoint now) {
  if (now >= worker.relax_priority_at) {
    worker.relax_priority_at = kNoDeadline;
    relax_priority(worker.pid);
  }
  if (!worker.killed_for.empty()) return report_undying_locked(worker, now);
  if (is_hung_locked(worker, now)) {
    worker.kill(now, "it did not end a call that it was told to cancel, and sent nothing");
    worker.state = Worker::State::kEnding;
    return;
  }
  if (now < worker.kill_at) return;
  worker.kill(now, !worker.in_flight.empty() ? "it did not answer before its deadline"
                                             : "it closed its output and did not end");
  worker.state = Worker::State::kEnding;
}

// Others share a worker with an engine's call, so it is not killed while it sends anything.
bool WorkerSet::is_hung_locked(const Worker& worker, TimePoint now) const {
  return std::any_of(worker.in_flight.begin(), worker.in_flight.end(), [&](const auto& batch) {
    return batch->is_engines() && batch->cancelled_at != kNoDeadline &&
           now - std::max(batch->cancelled_at, worker.heard_at) >= options_.kill_grace;
  });
}

// The slot is not refilled until the process has died: it may hold resources that the next process
// needs, and such processes could pile up.
void WorkerSet::report_undying_locked(Worker& worker, TimePoint now) {
  if (worker.is_undying || now - worker.killed_at < options_.kill_grace) return;
  worker.is_undying = true;
  log_error(
      "a runner process does not die of SIGKILL: it hangs in the kernel, as in a file system "
      "or a driver; it is replaced when it has died",
      {{"service", options_.service},
       {"runner", options_.runner},
       {"worker", worker.index},
       {"pid", worker.pid}});
}

void WorkerSet::handle(Due due) {
  due.arenas.clear();
  for (const WorkerPtr& worker : due.ended) read_frames(worker, true, deps_.loop, *this);
  for (const std::uint32_t index : due.slots) spawn(index);
}

}  // namespace bentohost::runner
