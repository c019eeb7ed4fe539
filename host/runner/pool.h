// Pool: the workers of one runner, and the queues of its methods. It gives batches to idle workers,
// hands results to callers, notices deaths at once, answers or retries what was in flight and
// starts workers again. One mutex guards queues and worker states; completions run outside it. It
// is made by std::make_shared(): who ends it lets it go, and the loop does when it has turned.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "observe/metrics.h"
#include "plugin/description.h"
#include "runner/backoff.h"
#include "runner/batch_queue.h"
#include "runner/call.h"
#include "runner/spawner.h"
#include "runner/worker.h"

namespace bentohost::runner {

struct PoolOptions {
  std::string service;  // whose runner it is
  std::uint32_t workers = 1;
  std::size_t max_queue = 1024;              // calls per method: beyond that 503
  std::size_t max_queue_bytes = 256u << 20;  // of their inputs, the same
  Duration kill_grace =
      std::chrono::seconds(2);          // after the last deadline in a batch: then it is hung
  std::string hello;                    // the JSON that a worker is greeted with
  bool starts_at_low_priority = false;  // the first process of each worker: others serve meanwhile
};

class Pool final : private EventLoop::TurnEnd, public std::enable_shared_from_this<Pool> {
 public:
  struct Deps {
    EventLoop& loop;
    Spawner& spawner;
    const Clock& clock;
    observe::Metrics& metrics;
  };
  // The loop must outlive the pool.
  Pool(const plugin::RunnerSpec& spec, PoolOptions options, Deps deps);
  ~Pool();

  void start();  // [any]

  // [any] Queues the call. An idle worker gets it at once; or at the end of the turn, on a thread
  // that is an event loop's, together with all that is submitted in the same turn. On error the
  // call's `done` is never called. RESOURCE_EXHAUSTED: the queue is full. UNAVAILABLE: stopping, or
  // all workers failed for good.
  Status submit(std::uint32_t method, CallPtr call);
  // [any] Whether so many more calls, with so many bytes of inputs in all, would be taken now: for
  // who would have to make them first. Else RESOURCE_EXHAUSTED: 503, or, if the queue will never
  // have room for them, 413.
  Status room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const;

  // [any] OK when a worker is warm, else UNAVAILABLE with what each worker is doing.
  Status readiness() const;
  // [any] Whether all workers have said that trying again is useless (exit code 78).
  bool has_given_up() const;
  // [any] Whether all workers have come up: true, or false while some are starting. An error when
  // one has ended instead: why.
  Result<bool> is_warm() const;
  const plugin::RunnerSpec& spec() const { return spec_; }

  // [any, not loop] Refuses new calls, fails queued ones, lets workers end, kills those that have
  // not by `deadline`, and leaves behind those that have not died kill_grace later: their calls
  // fail, and the loop reaps them when they do. It returns when the loop has nothing more to do
  // with the pool; if the loop does not turn for kill_grace, before that, and the loop keeps the
  // pool until it does.
  void stop(TimePoint deadline);

 private:
  struct Method {
    BatchQueue queue;
    observe::RunnerMethodMetrics metrics;
  };
  // A worker's place: it outlives the processes that fill it one after the other.
  struct Slot {
    WorkerPtr worker;  // null: none is running
    Backoff backoff;
    TimePoint restart_at{};  // when worker is null
    bool gave_up = false;    // exit code 78
    bool has_begun = false;  // a process was started here
    bool is_spawning = false;
    std::string last_end;  // "was killed by SIGSEGV (signal 11)"
  };
  struct Dispatch {
    WorkerPtr worker;
    std::shared_ptr<const Batch> batch;
    explicit operator bool() const { return worker != nullptr; }
  };
  struct Failure {
    std::vector<CallPtr> calls;
    Status status;
  };
  using Failures = std::vector<Failure>;

  // Under the mutex ("locked"), or on the loop ("loop"), or both.
  Dispatch take_dispatch_locked(TimePoint now, Failures& failures);
  // Those of the calls that nobody has answered; each is counted once.
  void fail_later_locked(Failures& failures, Method& method, std::vector<CallPtr> calls,
                         const Status& status);
  void fail_queues_locked(Failures& failures, const Status& status);
  void drop_locked(Method& method, std::vector<CallPtr> dropped, Failures& failures, TimePoint now);
  // All workers failed for good, or again and again.
  bool hopeless_locked() const;
  Status why_no_room_locked(std::uint32_t method, std::size_t calls, std::size_t bytes) const;
  static void show_queue(const Method& method);
  void fail_queues_if_hopeless_locked(Failures& failures);
  bool all_gone_locked() const;
  std::string why_not_ready_locked() const;

  void on_turn_end() override { dispatch_all(); }
  void dispatch_all();
  void send(Dispatch dispatch);
  Dispatch refuse_to_send(const Dispatch& dispatch);
  void complete(const Failures& failures);
  bool tick(TimePoint now);  // loop
  void tick_worker_locked(Worker& worker, TimePoint now, Failures& failures);
  void report_undying_locked(Worker& worker, TimePoint now);

  // The worker processes (pool_workers.cc); all on the loop.
  void spawn(std::uint32_t index);
  void on_spawned(std::uint32_t index, Result<Child> child);
  Status watch(const WorkerPtr& worker);
  void on_readable(const WorkerPtr& worker, bool ended);
  void on_frame(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_ready(const WorkerPtr& worker);
  void on_result(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_error(const WorkerPtr& worker, const wire::FrameReader::Frame& frame);
  void on_stderr(const WorkerPtr& worker);
  void on_closed_pipe(const WorkerPtr& worker);
  void on_death(const WorkerPtr& worker);
  void on_protocol_error(const WorkerPtr& worker, const std::string& what);
  void end_at_once(const WorkerPtr& worker, const std::string& why);
  void unwatch(Worker& worker);
  void leave_behind();  // whoever is still there at the end
  // What it was at is answered, or put back.
  void lose_batch_locked(Worker& worker, const std::string& why, Failures& failures);
  // Frees the worker of the batch with this id and gives it the next; null when it has no such
  // batch.
  std::shared_ptr<const Batch> finish_batch(const WorkerPtr& worker, std::uint64_t id);
  // No more work for it: it ends when it has read the end of its stdin.
  void end_locked(Worker& worker);
  // Puts the calls that may run again back into the queue, each in a frame of its own; fails the
  // others.
  void rescue_locked(const Batch& batch, const Status& status, Failures& failures);

  observe::Metrics::RunnerName name() const { return {options_.service, spec_.name}; }

  const plugin::RunnerSpec spec_;
  const PoolOptions options_;
  Deps deps_;

  mutable std::mutex mutex_;
  std::condition_variable worker_gone_;
  std::vector<Method> methods_;     // queues are guarded by mutex_
  std::vector<Slot> slots_;         // guarded by mutex_; changed on the loop only
  std::size_t next_method_ = 0;     // guarded by mutex_: methods take turns
  std::uint64_t next_batch_ = 1;    // guarded by mutex_
  bool stopping_ = false;           // guarded by mutex_
  wire::DecodedValues decoded_;     // loop
  EventLoop::TickerId ticker_ = 0;  // loop; 0: not started
  bool is_over_ = false;            // loop: stop() is over. A process may come later than that
};

}  // namespace bentohost::runner
