// Pool: one runner of one service, as its callers see it. It takes calls, gives batches of them to
// idle workers, hands results to callers, and fails or retries the calls in flight when a worker
// ends. It is a BatchScheduler (which calls), a WorkerSet (which workers) and the mutex that guards
// both, so that work and an idle worker for it are found under one lock.
//
// Threads: calls come from any thread. The mutex is held briefly, and never while a batch is sent
// or a call is completed: a completion may submit the next call.
//
// Ownership: created by std::make_shared(). stop()'s caller drops its pointer; the loop drops its
// own at the end of its turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/mutex.h"
#include "base/status.h"
#include "plugin/description.h"
#include "runner/batch_scheduler.h"
#include "runner/batch_timer.h"
#include "runner/call.h"
#include "runner/worker.h"
#include "runner/worker_set.h"

namespace bentohost::runner {

struct PoolOptions {
  std::string service;  // the service that the runner belongs to
  std::uint32_t workers = 1;
  std::size_t max_queue = 1024;              // calls per method; beyond that 503
  std::size_t max_queue_bytes = 256u << 20;  // of their inputs, per method; beyond that 503
  Duration kill_grace =
      std::chrono::seconds(2);          // a worker this long past its batch's deadlines is hung
  std::string hello;                    // for each new worker: encode_hello()
  bool starts_at_low_priority = false;  // the first process of each worker: others are serving
};

class Pool final : private EventLoop::TurnEnd,
                   private WorkerSet::Owner,
                   public std::enable_shared_from_this<Pool> {
 public:
  using Deps = WorkerSet::Deps;
  // The loop must outlive the pool.
  Pool(const plugin::RunnerSpec& spec, const PoolOptions& options, Deps deps);
  ~Pool();

  void start();  // [any]

  // [any] Queues the call. An idle worker gets it at once or, on an event loop's thread, at the end
  // of the turn, together with all calls that are submitted in the same turn. On error the call's
  // `done` is never called. RESOURCE_EXHAUSTED: the queue is full. UNAVAILABLE: stopping, or all
  // workers failed for good.
  Status submit(std::uint32_t method, CallPtr call);
  // [any] The caller of a stream has taken results: its worker may send others.
  void give_room(const CallPtr& call, const Window& taken);
  // [any] OK if submit() would now take `calls` more calls with `bytes` bytes of inputs in all: for
  // callers that would have to copy inputs first. Otherwise RESOURCE_EXHAUSTED: 503, or 413 if they
  // would not fit into an empty queue either.
  Status room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const;

  // [any] OK when a worker is warm; otherwise UNAVAILABLE with what each worker is doing.
  Status readiness() const;
  // [any] Whether all workers have said that trying again is useless (exit code 78).
  bool has_given_up() const;
  // [any] True when all workers have come up, false while some are starting. If a worker has ended
  // instead, an error that says why.
  Result<bool> is_warm() const;
  const plugin::RunnerSpec& spec() const { return spec_; }

  // [any, not loop] Refuses new calls, fails queued calls, lets workers end, kills those that have
  // not ended by `deadline`, and leaves behind those that have not died kill_grace later: their
  // calls fail, and the loop reaps them when they die. Returns when the loop is done with the pool.
  // If the loop does not turn within kill_grace, stop() returns anyway and the loop keeps the pool
  // until it turns.
  void stop(TimePoint deadline);

 private:
  struct Dispatch {
    WorkerPtr worker;
    std::shared_ptr<const Batch> batch;
    explicit operator bool() const { return worker != nullptr; }
  };

  // The next batch, if any calls wait and not for a fuller batch, and the worker that it is now
  // assigned to: an idle one, or one that has room beside other calls of an engine.
  Dispatch take_dispatch_locked(TimePoint now, Failures& failures) BENTO_REQUIRES(workers_.mutex());
  void dispatch_all();
  // Returns whether calls were put back for not fitting in a frame: other workers may be idle.
  bool send(Dispatch dispatch);
  void send_first(Dispatch dispatch);
  Dispatch refuse_to_send(const Dispatch& dispatch);
  struct Cancel {
    WorkerPtr worker;
    std::uint64_t batch = 0;
  };
  void send_cancels(const std::vector<Cancel>& cancels);
  Status malformed_result(const plugin::MethodSpec& method, const Status& why) const;
  // [loop] The batch that the worker has finished; null if no batch with this id is in flight.
  std::shared_ptr<const Batch> finish_batch(Worker& worker, std::uint64_t id);
  Status why_not_ready_locked(const char* because) const BENTO_REQUIRES(workers_.mutex());
  bool await_workers_locked(TimePoint when) BENTO_REQUIRES(workers_.mutex());
  // The handles never change.
  const observe::RunnerMethodMetrics& metrics(const Batch& batch) const
      BENTO_NO_THREAD_SAFETY_ANALYSIS {
    return scheduler_.metrics(batch.method);
  }
  bool tick(TimePoint now);  // loop

  void on_turn_end() override { dispatch_all(); }
  void on_ready() override;
  bool on_result(Worker& worker, std::uint64_t batch, const wire::DecodedValues& result,
                 ResultFrame& frame) override;
  bool on_part(Worker& worker, std::uint64_t batch, std::span<const bento_value> values,
               ResultFrame& frame) override;
  bool on_no_arena(const WorkerPtr& worker, std::uint64_t batch) override;
  bool on_error(Worker& worker, std::uint64_t batch, const Status& error) override;
  Failures on_lost(const Batch& batch, const Status& why) override;
  void on_gone() override;

  const plugin::RunnerSpec spec_;
  const Duration kill_grace_;
  const Deps deps_;

  CondVar worker_gone_;
  BatchScheduler scheduler_ BENTO_GUARDED_BY(workers_.mutex());
  WorkerSet workers_;               // threads: see worker_set.h
  EventLoop::TickerId ticker_ = 0;  // loop; 0: not started
  BatchTimer fuller_batch_;         // rings when idle workers have waited long enough for one
};

}  // namespace bentohost::runner
