// BatchScheduler: the calls of all methods of a runner, from admission to the batch that carries
// them, and what happens to them when no result comes back for that batch. Pure: no mutex, no
// threads, no descriptors; time is an argument. It sends and completes nothing: it returns batches
// and failures.
//
// Methods take turns, batch by batch; within a method BatchQueue decides which calls go together.
//
// Threads: one at a time, except where a function says [any]. The owner's mutex (the pool's) guards
// it, and the flags of the calls that it was given: `alone`, `retried`, `finished`.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "observe/metrics.h"
#include "plugin/description.h"
#include "runner/batch_queue.h"
#include "runner/call.h"

namespace bentohost::runner {

class BatchScheduler {
 public:
  struct Limits {
    std::size_t max_queue = 1024;              // calls per method
    std::size_t max_queue_bytes = 256u << 20;  // of their inputs, per method
  };
  // `spec` must outlive this. `metrics` has the handles of each method, in the order of the spec.
  BatchScheduler(const plugin::RunnerSpec& spec, Limits limits,
                 std::vector<observe::RunnerMethodMetrics> metrics);

  // Queues the call; `call->bytes` is set. RESOURCE_EXHAUSTED, as room_for(): it was not queued.
  Status push(std::uint32_t method, CallPtr call, TimePoint now);
  // OK if push() would now take `calls` more calls with `bytes` bytes of inputs in all. Otherwise
  // RESOURCE_EXHAUSTED: 503, or 413 if they would not fit into an empty queue either.
  Status room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const;

  // The next batch for one of `idle_workers` (at least one), from the method whose turn it is;
  // null if nothing waits. Calls found to be cancelled or late fail.
  std::shared_ptr<const Batch> next_batch(TimePoint now, std::size_t idle_workers,
                                          Failures& failures);

  // One more call of an engine for a worker that has room beside others of it. Null: none waits, or
  // a call of another method has waited longer: it must have a worker to itself, so this one is to
  // become idle.
  std::shared_ptr<const Batch> next_beside(std::uint32_t method, TimePoint now, Failures& failures);

  // Fails queued calls that are cancelled or late. Returns whether any calls were waiting before.
  bool expire_queued(TimePoint now, Failures& failures);
  // Fails the calls that are cancelled or late in a batch that a worker has. Returns whether that
  // leaves none.
  bool expire_in_flight(const Batch& batch, TimePoint now, Failures& failures);
  // A result of a stream has come, or its caller has taken one: until when the next one must.
  void renew_deadline(Call& call, std::uint32_t method, TimePoint now) const;

  // Batches that get no result. All of these functions skip calls that have finished.
  //
  // The batch is lost: its worker died. Calls of an idempotent method that were not rescued before
  // go back to the front of the queue, in their order, each to travel alone, unless they have
  // emitted results; others fail with
  // `status`. After stop() all of them fail.
  void rescue(const Batch& batch, const Status& status, Failures& failures);
  // The worker returned an error. A call that was alone fails with it. Several calls are rescued:
  // one caller's bad rows must not fail the others.
  void answer_error(const Batch& batch, const Status& status, Failures& failures);
  // The batch does not fit in a frame: its calls go back to the front, each to travel alone, which
  // does not count as a rescue; a single call fails (413). After stop() all of them fail.
  void take_back(const Batch& batch, Failures& failures);
  void fail(const Batch& batch, const Status& status, Failures& failures);

  void fail_queued(const Status& status, Failures& failures);
  // Fails the queued calls; from now on nothing is rescued. The owner must not push afterwards.
  void stop(Failures& failures);
  bool is_stopped() const { return is_stopped_; }
  // The UNAVAILABLE that callers get after stop(). [any]
  Status shutting_down() const;

  // [any]
  const observe::RunnerMethodMetrics& metrics(std::uint32_t method) const {
    return methods_[method].metrics;
  }

 private:
  struct Method {
    BatchQueue queue;
    const observe::RunnerMethodMetrics metrics;
  };

  std::shared_ptr<const Batch> make_batch(std::size_t method, std::vector<CallPtr> calls,
                                          TimePoint now);
  Status why_no_room(std::uint32_t method, std::size_t calls, std::size_t bytes) const;
  // Fails the calls that have not finished; each is counted once.
  static void fail_calls(const Method& method, std::vector<CallPtr> calls, const Status& status,
                         Failures& failures);
  void fail_dropped(const Method& method, std::vector<CallPtr> dropped, TimePoint now,
                    Failures& failures) const;
  static void show_queue(const Method& method);

  const plugin::RunnerSpec& spec_;
  const Limits limits_;
  std::vector<Method> methods_;
  std::size_t next_method_ = 0;  // the method whose turn it is
  std::uint64_t next_id_ = 1;    // of the next batch
  bool is_stopped_ = false;
};

}  // namespace bentohost::runner
