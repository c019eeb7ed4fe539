// WorkerSlots: the places of a runner's workers, and what can be said of all of them: who is idle,
// whether there is hope, why nobody serves. A slot outlives the processes that fill it one after
// the other. It acts on nothing: that is WorkerSet's, which changes the slots.
//
// Threads: the mutex of the pool guards it.
//
// Legal states of a slot, and what leads from one to the next:
//   asked     a process was asked for           -> filled; or waiting: it could not be started
//   filled    `worker` is its process           -> at its end waiting, or given up (exit code 78)
//   waiting   `restart_at` is the next try      -> asked, when that time has come
//   given up  trying again is useless
// At the beginning it is none of these. While the pool stops nothing leads to asked.
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
  bool has_begun = false;  // a process was asked for here, at any time
  bool is_spawning = false;
  std::string last_end;  // "was killed by SIGSEGV (signal 11)"; empty again when the next is ready

  bool is_idle() const { return worker != nullptr && worker->state == Worker::State::kIdle; }
  // Its worker serves.
  bool is_up() const { return is_idle() || (worker && worker->state == Worker::State::kBusy); }
  // There is no process, nor is one on its way.
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

  bool is_any_up() const;
  bool are_all_up() const;
  // Those that have ended and whose next process is not up yet.
  bool has_any_ended() const;
  // All of them have said that trying again is useless.
  bool have_given_up() const;
  // All of them failed for good, or again and again.
  bool are_hopeless() const;
  bool are_empty() const;
  // "worker 0 is starting; worker 1 is ending (it exited with code 3)"
  std::string why_not_ready() const;

 private:
  std::vector<WorkerSlot> slots_;
};

}  // namespace bentohost::runner
