// WorkerSet: the places of a runner's workers and the processes in them. It starts processes, reads
// what they send, notices their ends at once, kills those that hang, and starts others in their
// place, later and later where they fail. Which work they get is its owner's affair: that gives
// batches to idle workers, and hears of answers and ends through WorkerSet::Owner.
//
// Threads: a function is called on the event loop, except where it says [any]. The mutex is the
// owner's, so that the owner finds work and an idle worker for it under one lock: it guards the
// slots, and of each worker what worker.h says. `..._locked` functions are called with it held;
// all others are called without it and take it themselves.
//
// Ownership: it is a part of its owner, which is made by std::make_shared() and lives until the
// loop has turned after leave_behind().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/mutex.h"
#include "base/status.h"
#include "observe/metrics.h"
#include "runner/call.h"
#include "runner/spawner.h"
#include "runner/worker.h"
#include "runner/worker_pipes.h"
#include "runner/worker_slots.h"
#include "wire/frame.h"

namespace bentohost::runner {

class WorkerSet final : private WorkerEvents {
 public:
  // All of them are called on the loop, with no lock held.
  class Owner {
   public:
    // The worker has come up, and is idle.
    virtual void on_ready() = 0;
    // The worker answered the batch with this id; the owner is to call finish_locked(). `values`
    // die when it returns. False: no such batch is in flight, which breaks the protocol.
    virtual bool on_result(Worker& worker, std::uint64_t batch,
                           std::span<const bento_value> values) = 0;
    // The same with the worker's error.
    virtual bool on_error(Worker& worker, std::uint64_t batch, const Status& error) = 0;
    // The batch will not be answered: its worker is ending by the host's hand, has gone, or is left
    // behind. What may run again is to go to others at once. Returns what the rest is to hear: the
    // set completes it, after it has reported the end of the worker.
    virtual Failures on_lost(const Batch& batch, const Status& why) = 0;
    // A place has become empty: its worker has gone, which has been reported, or could not be
    // started. It may have been the last hope.
    virtual void on_gone() = 0;

   protected:
    ~Owner() = default;
  };

  struct Options {
    std::string service, runner;
    std::uint32_t workers = 1;
    Duration kill_grace = std::chrono::seconds(2);
    std::string hello;                    // the JSON that a worker is greeted with
    bool starts_at_low_priority = false;  // the first process of each worker
  };
  struct Deps {
    EventLoop& loop;
    Spawner& spawner;
    const Clock& clock;
    observe::Metrics& metrics;
  };
  // `owner` must outlive it, and the loop both.
  WorkerSet(Options options, Deps deps, Owner& owner);

  // Asks for a process for each place. `owner` is what keeps the set alive: a process may arrive
  // when it has gone.
  void start(std::weak_ptr<const void> owner);

  // The one lock of a pool: of this set's state, and of its owner's.
  Mutex& mutex() const BENTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

  // ---- work [any]

  // Who is idle, and what the others are doing.
  const WorkerSlots& slots_locked() const BENTO_REQUIRES(mutex_) { return slots_; }
  // An idle worker is busy with the batch from now on; whoever calls sends it.
  void assign_locked(Worker& worker, std::shared_ptr<const Batch> batch) BENTO_REQUIRES(mutex_);
  // Frees the worker of the batch with this id: it is idle, or ending. Null: it has no such batch.
  std::shared_ptr<const Batch> finish_locked(Worker& worker, std::uint64_t batch)
      BENTO_REQUIRES(mutex_);
  // The worker has not heard of the batch and is without it again. False: it has lost it already.
  bool take_back_locked(Worker& worker, const std::shared_ptr<const Batch>& batch)
      BENTO_REQUIRES(mutex_);
  // [any, without the mutex] The worker is killed when the loop gets to it.
  void kill_soon(const WorkerPtr& worker, const char* why);

  // ---- time

  struct Due {
    std::vector<WorkerPtr> ended;      // processes that nothing else tells of
    std::vector<std::uint32_t> slots;  // whose next process is to be started
  };
  // Priorities and kills that are due, for which `in_flight` hears of the batch of each busy worker
  // first. Returns whether there is any time limit to look after.
  template <typename InFlight>
  bool tick_locked(TimePoint now, Due& due, InFlight&& in_flight) BENTO_REQUIRES(mutex_) {
    bool is_needed = false;
    for (WorkerSlot& slot : slots_) {
      if (slot.worker != nullptr && slot.worker->batch != nullptr) in_flight(*slot.worker->batch);
      is_needed = tick_slot_locked(slot, now, due) || is_needed;
    }
    return is_needed;
  }
  void handle(const Due& due);

  // ---- the end, in this order

  // [any] From now on nothing is started, and workers end when they have answered their batches.
  void begin_stop_locked() BENTO_REQUIRES(mutex_) { is_stopping_ = true; }
  // Lets workers end that are not busy.
  void end_idle();
  void kill_all(const std::string& why);
  // Lets go of those that are still there: their batches are lost, and the loop reaps them when
  // they die. Nothing is called afterwards.
  void leave_behind();

 private:
  void spawn(std::uint32_t index);
  void on_spawned(std::uint32_t index, Result<Child> child);

  void on_frame(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) override;
  void on_protocol_error(const WorkerPtr& worker, const std::string& what) override;
  void on_no_memory(const WorkerPtr& worker) override;
  void on_closed_pipe(const WorkerPtr& worker) override;
  void on_ended(const WorkerPtr& worker) override;

  void on_ready(Worker& worker);
  void on_result(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_error(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void end_at_once(const WorkerPtr& worker, const std::string& why);
  void report_death(const Worker& worker, int status, const std::string& end);
  Failures lose(const Worker& worker, const std::shared_ptr<const Batch>& batch,
                const std::string& why);
  // No more work for it: it ends when it has read the end of its stdin.
  static void end_locked(Worker& worker);
  static std::shared_ptr<const Batch> take_batch_locked(Worker& worker);
  bool tick_slot_locked(WorkerSlot& slot, TimePoint now, Due& due) BENTO_REQUIRES(mutex_);
  void tick_worker_locked(Worker& worker, TimePoint now) BENTO_REQUIRES(mutex_);
  void report_undying_locked(Worker& worker, TimePoint now) BENTO_REQUIRES(mutex_);

  observe::Metrics::RunnerName name() const { return {options_.service, options_.runner}; }

  const Options options_;
  const Deps deps_;
  Owner& owner_;
  mutable Mutex mutex_;
  WorkerSlots slots_ BENTO_GUARDED_BY(mutex_);  // changed on the loop only
  bool is_stopping_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_over_ = false;                // loop: leave_behind() was called
  wire::DecodedValues decoded_;         // loop
  std::weak_ptr<const void> lifetime_;  // loop: the owner's
};

}  // namespace bentohost::runner
