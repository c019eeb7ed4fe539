// WorkerSet: the slots of a runner's workers and the processes in them. It starts processes, reads
// what they send, notices their ends at once, kills workers that hang, and replaces workers that
// ended, after longer and longer delays if they fail. The owner decides what work they get: it
// gives batches to idle workers, and learns of results and ends through WorkerSet::Owner.
//
// Threads: functions are called on the event loop, except where they say [any]. The owner shares
// the mutex, so that it finds work and an idle worker for it under one lock: the mutex guards the
// slots, and the members of a worker that worker.h lists. `..._locked` functions are called with it
// held; all others are called without it and take it themselves.
//
// Ownership: it is a member of its owner, which is created by std::make_shared() and lives until
// the loop has turned after leave_behind().
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
  // All functions are called on the loop, with no lock held.
  class Owner {
   public:
    // The worker has come up, and is idle.
    virtual void on_ready() = 0;
    // The worker returned a result for the batch with this id; the owner must call finish_locked().
    // `result` dies when on_result() returns; it is in `frame`. False: no such batch is in flight,
    // a protocol error.
    virtual bool on_result(Worker& worker, std::uint64_t batch, const wire::DecodedValues& result,
                           ResultFrame& frame) = 0;
    // The same for a result that others follow: the batch, an engine's call, goes on.
    virtual bool on_part(Worker& worker, std::uint64_t batch, std::span<const bento_value> values,
                         ResultFrame& frame) = 0;
    // The worker could not read this batch's inputs in arenas, and gets no more of them: the owner
    // must send the batch again. False: as of on_result().
    virtual bool on_no_arena(const WorkerPtr& worker, std::uint64_t batch) = 0;
    // The same for an error that the worker returned.
    virtual bool on_error(Worker& worker, std::uint64_t batch, const Status& error) = 0;
    // The batch will get no result: the host is ending its worker, or the worker has gone or is
    // left behind. Calls that may run again go to other workers at once. Returns the failures of
    // the others: the set completes them after it has reported the end of the worker.
    virtual Failures on_lost(const Batch& batch, const Status& why) = 0;
    // A slot has become empty: its worker has gone, which has been reported, or could not be
    // started. It may have been the last worker that could serve.
    virtual void on_gone() = 0;

   protected:
    ~Owner() = default;
  };

  struct Options {
    std::string service, runner;
    std::uint32_t workers = 1;
    Duration kill_grace = std::chrono::seconds(2);
    std::string hello;                    // for each new worker: encode_hello()
    bool starts_at_low_priority = false;  // the first process of each worker
  };
  struct Deps {
    EventLoop& loop;
    Spawner& spawner;
    const Clock& clock;
    observe::Metrics& metrics;
    ArenaSet::Deps arenas = {};
  };
  // `owner` must outlive the set, and the loop must outlive both.
  WorkerSet(Options options, Deps deps, Owner& owner);

  // Asks for a process for each slot. `owner` keeps the set alive: a process may arrive after the
  // owner has gone.
  void start(std::weak_ptr<const void> owner);

  // The one lock of a pool: it guards the state of this set and of its owner.
  Mutex& mutex() const BENTO_RETURN_CAPABILITY(mutex_) { return mutex_; }

  // ---- work [any]

  // Which workers are idle, and what the others are doing.
  const WorkerSlots& slots_locked() const BENTO_REQUIRES(mutex_) { return slots_; }
  // Gives the batch to a worker that is idle or has room for it; the caller sends the batch.
  void assign_locked(Worker& worker, std::shared_ptr<const Batch> batch) BENTO_REQUIRES(mutex_);
  // Takes the batch with this id from the worker, which is then idle, unless it has others, or
  // ending. Null: it has none such.
  std::shared_ptr<const Batch> finish_locked(Worker& worker, std::uint64_t batch)
      BENTO_REQUIRES(mutex_);
  // The batch with this id; null: the worker has none such.
  static std::shared_ptr<const Batch> find(const Worker& worker, std::uint64_t batch);
  // Takes back a batch that was never sent to the worker. False: the worker had already lost it.
  bool take_back_locked(Worker& worker, const std::shared_ptr<const Batch>& batch)
      BENTO_REQUIRES(mutex_);
  // [any, without the mutex] Has the loop kill the worker, when it gets to it.
  void kill_soon(const WorkerPtr& worker, const char* why);

  // ---- time

  struct Due {
    std::vector<WorkerPtr> ended;      // processes whose end no descriptor reports
    std::vector<std::uint32_t> slots;  // slots whose next process must be started
    ArenaSet::Freed arenas;            // that nobody needs any more
  };
  // Resets priorities and kills workers where that is due. First calls `in_flight` with each busy
  // worker and each of its batches. Returns whether any time limit is pending.
  template <typename InFlight>
  bool tick_locked(TimePoint now, Due& due, InFlight&& in_flight) BENTO_REQUIRES(mutex_) {
    bool is_needed = false;
    for (WorkerSlot& slot : slots_) {
      if (slot.worker != nullptr) {
        for (const auto& batch : slot.worker->in_flight) in_flight(slot.worker, *batch);
      }
      is_needed = tick_slot_locked(slot, now, due) || is_needed;
    }
    return is_needed;
  }
  void handle(Due due);

  // ---- the end, in this order

  // [any] From now on nothing is started, and workers end when they have finished their batches.
  void begin_stop_locked() BENTO_REQUIRES(mutex_) { is_stopping_ = true; }
  // Lets workers that are not busy end.
  void end_idle();
  void kill_all(const std::string& why);
  // Lets go of the workers that have not died: their batches are lost, and the loop reaps them when
  // they die. The owner is not called afterwards.
  void leave_behind();

 private:
  void spawn(std::uint32_t index);
  void on_spawned(std::uint32_t index, Result<Child> child);

  void on_frame(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) override;
  void on_protocol_error(const WorkerPtr& worker, const std::string& what) override;
  void on_no_memory(const WorkerPtr& worker) override;
  void on_closed_pipe(const WorkerPtr& worker) override;
  void on_arena_message(const WorkerPtr& worker) override;
  void on_ended(const WorkerPtr& worker) override;

  void on_ready(Worker& worker);
  void on_result(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_error(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_report(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_no_arena(const WorkerPtr& worker, std::uint64_t batch);
  void end_at_once(const WorkerPtr& worker, const std::string& why);
  void report_death(const Worker& worker, int status, const std::string& end);
  Failures lose(const Worker& worker, const Batches& batches, const std::string& why);
  // Gives the worker no more work: it ends when it has read the end of its stdin.
  static void end_locked(Worker& worker);
  static Batches take_batches_locked(Worker& worker);
  static void remove_locked(Worker& worker, const Batch& batch);
  bool is_hung_locked(const Worker& worker, TimePoint now) const BENTO_REQUIRES(mutex_);
  bool tick_slot_locked(WorkerSlot& slot, TimePoint now, Due& due) BENTO_REQUIRES(mutex_);
  void tick_worker_locked(Worker& worker, TimePoint now) BENTO_REQUIRES(mutex_);
  void report_undying_locked(Worker& worker, TimePoint now) BENTO_REQUIRES(mutex_);

  observe::Metrics::RunnerName name() const { return {options_.service, options_.runner}; }

  const Options options_;
  const Deps deps_;
  const observe::ArenaMetrics arena_metrics_;
  Owner& owner_;
  mutable Mutex mutex_;
  WorkerSlots slots_ BENTO_GUARDED_BY(mutex_);  // changed on the loop only
  bool is_stopping_ BENTO_GUARDED_BY(mutex_) = false;
  bool is_over_ = false;                // loop: leave_behind() was called
  wire::DecodedValues decoded_;         // loop
  std::weak_ptr<const void> lifetime_;  // loop: the owner's
};

}  // namespace bentohost::runner
