// WorkerSlots: the slots of a runner's workers, and questions about all of them: which are idle,
// whether any may still come up, why none serves. A slot outlives the processes that fill it one
// after the other. This class only answers questions: WorkerSet changes the slots.
//
// Threads: the mutex of the pool guards it.
//
// Legal states of a slot, and the transitions between them:
//   asked     a process was asked for           -> filled; or waiting: it could not be started
//   filled    `worker` is its process           -> at its end waiting, or given up (exit code 78)
//   waiting   `restart_at` is the next try      -> asked, when that time has come
//   given up  trying again is useless
// At first a slot is in none of these states. While the pool stops, no slot becomes asked.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "runner/backoff.h"
#include "runner/worker.h"

namespace bentohost::runner {

struct WorkerSlot {
  WorkerPtr worker;  // null: none is running
  Backoff backoff;
  TimePoint restart_at{};  // while it waits
  bool gave_up = false;
  bool has_begun = false;  // a process was asked for at least once
  bool is_spawning = false;
  std::string last_end;  // "was killed by SIGSEGV (signal 11)"; cleared when the next is ready

  bool is_idle() const { return worker != nullptr && worker->state == Worker::State::kIdle; }
  // It may take another call of the engine whose calls it has.
  bool has_room() const {
    if (worker == nullptr || worker->state != Worker::State::kBusy) return false;
    const Batch& first = *worker->in_flight.front();
    return first.is_engines() && worker->in_flight.size() < first.max_concurrent;
  }
  // Its worker serves.
  bool is_up() const { return is_idle() || (worker && worker->state == Worker::State::kBusy); }
  // There is no process, and none is being started.
  bool is_empty() const { return worker == nullptr && !is_spawning; }
  bool is_waiting() const { return worker == nullptr && !gave_up && restart_at != TimePoint{}; }
  // It failed for good, or again and again.
  bool is_hopeless() const { return gave_up || (backoff.hopeless() && is_empty()); }
};

class WorkerSlots {
 public:
  explicit WorkerSlots(std::size_t count) : slots_(count) {}

  std::size_t size() const { return slots_.size(); }
  WorkerSlot& operator[](std::size_t index) { return slots_[index]; }
  auto begin() { return slots_.begin(); }
  auto end() { return slots_.end(); }

  struct Idle {
    const WorkerPtr* first = nullptr;  // null: none
    std::size_t count = 0;
  };
  Idle find_idle() const;
  // The worker that is busy with an engine's calls, has room for one more of `method`, and has the
  // fewest; null: none has.
  const WorkerPtr* find_room(std::uint32_t method) const;
  // The methods of which find_room() would find one.
  std::vector<std::uint32_t> methods_with_room() const;

  bool is_any_up() const;
  bool are_all_up() const;
  // Whether any worker has ended and its next process is not up yet.
  bool has_any_ended() const;
  // All workers have said that trying again is useless.
  bool have_given_up() const;
  // All workers failed for good, or again and again.
  bool are_hopeless() const;
  bool are_empty() const;
  // "worker 0 is starting; worker 1 is ending (it exited with code 3)"
  std::string why_not_ready() const;

 private:
  std::vector<WorkerSlot> slots_;
};

}  // namespace bentohost::runner
