// BatchScheduler: the calls of all methods of a runner, from their admission to the batch that they
// travel in, and what becomes of them when that batch is not answered. Pure: no mutex, no threads,
// no descriptors; time is an argument. It starts and completes nothing: batches and failures are
// its results.
//
// Methods take turns, batch by batch; within a method BatchQueue decides what travels together.
//
// Threads: one at a time, except where a function says [any]. Its owner's mutex (the pool's) guards
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
    std::size_t max_queue_bytes = 256u << 20;  // of their inputs, the same
  };
  // `spec` must outlive it. `metrics` has the handles of each method, in the order of the spec.
  BatchScheduler(const plugin::RunnerSpec& spec, Limits limits,
                 std::vector<observe::RunnerMethodMetrics> metrics);

  // Queues the call; `call->bytes` is set. RESOURCE_EXHAUSTED, as room_for(): it was not taken.
  Status push(std::uint32_t method, CallPtr call, TimePoint now);
  // Whether so many more calls, with so many bytes of inputs in all, would be taken now. Else
  // RESOURCE_EXHAUSTED: 503, or 413 if the queue will never have room for them.
  Status room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const;

  // The next batch for one of `idle_workers` (at least one), in the name of the method whose turn
  // it is; null: nothing waits. Calls that it finds unwanted or late fail.
  std::shared_ptr<const Batch> next_batch(TimePoint now, std::size_t idle_workers,
                                          Failures& failures);

  // Fails queued calls that are unwanted or late. Returns whether any calls were waiting before.
  bool expire_queued(TimePoint now, Failures& failures);
  // Fails calls of a batch that is with a worker and whose deadline has passed.
  void expire_in_flight(const Batch& batch, TimePoint now, Failures& failures);

  // What becomes of a batch that is not answered. All of these pass over calls that have finished.
  //
  // The batch is lost: its worker died. Calls of an idempotent method that were not rescued before
  // go back to the front of the queue, in their order, each to travel alone; others fail with
  // `status`. After stop() all of them fail.
  void rescue(const Batch& batch, const Status& status, Failures& failures);
  // The worker answered with an error. It is the answer to a call that was alone; of several, one
  // caller's bad rows must not fail the others, and they are rescued.
  void answer_error(const Batch& batch, const Status& status, Failures& failures);
  // No frame can hold the batch: its calls go back to the front, each to travel alone, which does
  // not count as a rescue; a single call fails (413). After stop() all of them fail.
  void take_back(const Batch& batch, Failures& failures);
  void fail(const Batch& batch, const Status& status, Failures& failures);

  void fail_queued(const Status& status, Failures& failures);
  // Fails what is queued; from now on nothing is rescued. Its owner pushes nothing any more.
  void stop(Failures& failures);
  bool is_stopped() const { return is_stopped_; }
  // UNAVAILABLE, which is what callers hear after stop(). [any]
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
  // Those of the calls that have not finished; each is counted once.
  static void fail_calls(const Method& method, std::vector<CallPtr> calls, const Status& status,
                         Failures& failures);
  void fail_dropped(const Method& method, std::vector<CallPtr> dropped, TimePoint now,
                    Failures& failures) const;
  static void show_queue(const Method& method);

  const plugin::RunnerSpec& spec_;
  const Limits limits_;
  std::vector<Method> methods_;
  std::size_t next_method_ = 0;  // whose turn it is
  std::uint64_t next_id_ = 1;    // of a batch
  bool is_stopped_ = false;
};

}  // namespace bentohost::runner
