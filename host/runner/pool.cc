#include "runner/pool.h"

#include <prometheus/counter.h>

#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/mutex.h"
#include "observe/metrics.h"
#include "observe/sharded.h"
#include "runner/batch_frame.h"

namespace bentohost::runner {
namespace {

// A thread frees its frame buffer after a frame that is larger than this.
constexpr std::size_t kKeptFrameBytes = 1u << 20;

std::vector<observe::RunnerMethodMetrics> metrics_of(const plugin::RunnerSpec& spec,
                                                     const PoolOptions& options,
                                                     observe::Metrics& metrics) {
  std::vector<observe::RunnerMethodMetrics> handles;
  for (const plugin::MethodSpec& method : spec.methods) {
    handles.push_back(
        metrics.runner_method({options.service, spec.name}, method.name, method.max_batch));
  }
  return handles;
}

WorkerSet::Options worker_options(const plugin::RunnerSpec& spec, const PoolOptions& options) {
  return {.service = options.service,
          .runner = spec.name,
          .workers = options.workers,
          .kill_grace = options.kill_grace,
          .hello = options.hello,
          .starts_at_low_priority = options.starts_at_low_priority};
}

}  // namespace

Pool::Pool(const plugin::RunnerSpec& spec, const PoolOptions& options, Deps deps)
    : spec_(spec),
      kill_grace_(options.kill_grace),
      deps_(deps),
      scheduler_(spec_, {options.max_queue, options.max_queue_bytes},
                 metrics_of(spec_, options, deps.metrics)),
      workers_(worker_options(spec_, options), deps, *this) {
  const bool waits = std::any_of(spec_.methods.begin(), spec_.methods.end(),
                                 [](const auto& method) { return method.max_batch_wait_us != 0; });
  if (waits) fuller_batch_.create();
}

Pool::~Pool() = default;

void Pool::start() {
  deps_.loop.post([this] {
    ticker_ = deps_.loop.add_ticker([this](TimePoint now) { return tick(now); });
    fuller_batch_.watch(deps_.loop, [this] { dispatch_all(); });
    workers_.start(weak_from_this());
  });
}

// ---- from callers ----------------------------------------------------------------------------

Status Pool::submit(std::uint32_t method, CallPtr call) {
  call->bytes = 0;
  for (const wire::Value& input : call->inputs) call->bytes += input.data.size();
  {
    const MutexLock lock(workers_.mutex());
    if (scheduler_.is_stopped()) return scheduler_.shutting_down();
    if (workers_.slots_locked().are_hopeless()) return why_not_ready_locked(" is not available: ");
    Status pushed = scheduler_.push(method, std::move(call), deps_.clock.now());
    if (!pushed.ok()) return pushed;
  }
  if (EventLoop* loop = EventLoop::current()) {
    loop->at_turn_end(*this);
  } else {
    dispatch_all();
  }
  deps_.loop.ensure_ticking();
  return {};
}

Status Pool::room_for(std::uint32_t method, std::size_t calls, std::size_t bytes) const {
  const MutexLock lock(workers_.mutex());
  return scheduler_.room_for(method, calls, bytes);
}

Status Pool::readiness() const {
  const MutexLock lock(workers_.mutex());
  if (scheduler_.is_stopped()) return scheduler_.shutting_down();
  if (workers_.slots_locked().is_any_up()) return {};
  return why_not_ready_locked(": ");
}

bool Pool::has_given_up() const {
  const MutexLock lock(workers_.mutex());
  return workers_.slots_locked().have_given_up();
}

Result<bool> Pool::is_warm() const {
  const MutexLock lock(workers_.mutex());
  if (workers_.slots_locked().has_any_ended()) return why_not_ready_locked(": ");
  return workers_.slots_locked().are_all_up();
}

Status Pool::why_not_ready_locked(const char* because) const {
  return Status(BENTO_UNAVAILABLE,
                "runner " + spec_.name + because + workers_.slots_locked().why_not_ready());
}

// Waits until `when`; returns whether all workers have gone.
bool Pool::await_workers_locked(TimePoint when) {
  while (!workers_.slots_locked().are_empty()) {
    if (worker_gone_.wait_until(workers_.mutex(), when) == std::cv_status::timeout) {
      return workers_.slots_locked().are_empty();
    }
  }
  return true;
}

void Pool::stop(TimePoint deadline) {
  Failures failures;
  {
    const MutexLock lock(workers_.mutex());
    workers_.begin_stop_locked();
    scheduler_.stop(failures);
  }
  complete(failures);
  // The end of its stdin tells a worker to end; a busy worker sees it after its batch.
  deps_.loop.post([this] { workers_.end_idle(); });
  {
    const MutexLock lock(workers_.mutex());
    if (!await_workers_locked(deadline)) {
      deps_.loop.post([this] { workers_.kill_all("it did not end in time"); });
      (void)await_workers_locked(std::chrono::steady_clock::now() + kill_grace_);
    }
  }
  deps_.loop.post([this] {
    if (ticker_ != 0) deps_.loop.remove_ticker(std::exchange(ticker_, 0));
    fuller_batch_.unwatch(deps_.loop);
    workers_.leave_behind();
  });
  // The loop may run this job and the earlier ones long after the owner has let go.
  deps_.loop.hold_for_a_turn(shared_from_this());
  deps_.loop.let_turn(kill_grace_);
}

// ---- to workers ------------------------------------------------------------------------------

Pool::Dispatch Pool::take_dispatch_locked(TimePoint now, Failures& failures) {
  const WorkerSlots& slots = workers_.slots_locked();
  Dispatch dispatch;
  if (const WorkerSlots::Idle idle = slots.find_idle(); idle.count != 0) {
    dispatch = {*idle.first, scheduler_.next_batch(now, idle.count, failures)};
  } else {
    for (const std::uint32_t method : slots.methods_with_room()) {
      dispatch = {*slots.find_room(method), scheduler_.next_beside(method, now, failures)};
      if (dispatch.batch != nullptr) break;
    }
  }
  if (dispatch.batch == nullptr) {
    const bool waits = slots.find_idle().count != 0 && scheduler_.ripe_at() != kNoDeadline;
    if (waits) fuller_batch_.set(scheduler_.ripe_at() - now);
    return {};
  }
  workers_.assign_locked(*dispatch.worker, dispatch.batch);
  if (dispatch.batch->is_engines()) {
    Call& call = *dispatch.batch->calls.front();
    call.worker = dispatch.worker;
    call.batch = dispatch.batch->id;
  }
  return dispatch;
}

// Gives the waiting calls to the idle workers.
void Pool::dispatch_all() {
  Failures failures;
  while (true) {
    Dispatch dispatch;
    {
      const MutexLock lock(workers_.mutex());
      dispatch = take_dispatch_locked(deps_.clock.now(), failures);
    }
    if (!dispatch) break;
    (void)send(std::move(dispatch));
  }
  complete(failures);
}

bool Pool::send(Dispatch dispatch) {
  bool has_put_back = false;
  thread_local AlignedBuffer frame;
  while (dispatch) {
    const plugin::MethodSpec& method = spec_.methods[dispatch.batch->method];
    bool is_encoded = false;
    try {
      is_encoded = encode_batch(*dispatch.batch, method, *dispatch.worker->arenas, frame);
      if (is_encoded) {
        dispatch.worker->to.send(frame);
        dispatch.batch->is_sent = true;  // a cancel may follow now
      }
    } catch (const std::bad_alloc&) {
      // Part of the frame may have been sent already, and no other frame can follow it.
      if (is_encoded) workers_.kill_soon(dispatch.worker, "there was no memory to send it a batch");
    }
    has_put_back = has_put_back || !is_encoded;
    dispatch = is_encoded ? Dispatch() : refuse_to_send(dispatch);
    frame.clear();
    if (frame.capacity() > kKeptFrameBytes) AlignedBuffer().swap(frame);
  }
  return has_put_back;
}

// The batch was not sent: the worker is idle again, and may take the next batch.
Pool::Dispatch Pool::refuse_to_send(const Dispatch& dispatch) {
  Failures failures;
  Dispatch next;
  {
    const MutexLock lock(workers_.mutex());
    // If this fails, the worker has died, and its calls have been rescued or failed.
    if (!workers_.take_back_locked(*dispatch.worker, dispatch.batch)) return {};
    scheduler_.take_back(*dispatch.batch, failures);
    next = take_dispatch_locked(deps_.clock.now(), failures);
  }
  complete(failures);
  return next;
}

// ---- from workers ----------------------------------------------------------------------------

void Pool::on_ready() {
  Failures failures;
  Dispatch dispatch;
  {
    const MutexLock lock(workers_.mutex());
    dispatch = take_dispatch_locked(deps_.clock.now(), failures);
  }
  send_first(std::move(dispatch));
  complete(failures);
}

// The next batch of a worker that has become free. The worker may have room for more of an engine.
void Pool::send_first(Dispatch dispatch) {
  if (!dispatch) return;
  const bool may_be_more = dispatch.batch->is_engines();
  if (send(std::move(dispatch)) || may_be_more) dispatch_all();
}

std::shared_ptr<const Batch> Pool::finish_batch(Worker& worker, std::uint64_t id) {
  std::shared_ptr<const Batch> batch;
  Failures failures;
  Dispatch dispatch;
  const TimePoint now = deps_.clock.now();
  {
    const MutexLock lock(workers_.mutex());
    batch = workers_.finish_locked(worker, id);
    if (batch == nullptr) return nullptr;
    if (batch->is_engines()) {
      worker.heard_at = now;
      batch->calls.front()->worker.reset();
    }
    if (worker.state == Worker::State::kIdle || batch->is_engines())
      dispatch = take_dispatch_locked(now, failures);
  }
  // Send the next batch first: the worker computes while the responses to this batch are written.
  send_first(std::move(dispatch));
  complete(failures);
  metrics(*batch).run_duration->observe(seconds(now - batch->sent));
  return batch;
}

Status Pool::malformed_result(const plugin::MethodSpec& method, const Status& why) const {
  return Status::with_http(502, BENTO_INTERNAL,
                           "runner " + spec_.name + "." + method.name + ": " + why.message());
}

bool Pool::on_result(Worker& worker, std::uint64_t id, const wire::DecodedValues& result,
                     ResultFrame& frame) {
  const auto batch = finish_batch(worker, id);
  if (batch == nullptr) return false;

  const plugin::MethodSpec& method = spec_.methods[batch->method];
  const auto delivered = deliver_batch(*batch, result, method, frame);
  if (delivered.ok()) {
    const observe::RunnerMethodMetrics& counts = metrics(*batch);
    if (delivered->ok != 0) counts.calls_ok->Increment(static_cast<double>(delivered->ok));
    if (delivered->failed != 0) {
      counts.calls_failed->Increment(static_cast<double>(delivered->failed));
    }
    return true;
  }
  Failures failures;
  {
    const MutexLock lock(workers_.mutex());
    scheduler_.fail(*batch, malformed_result(method, delivered.status()), failures);
  }
  complete(failures);
  return true;
}

bool Pool::on_error(Worker& worker, std::uint64_t id, const Status& error) {
  const auto batch = finish_batch(worker, id);
  if (batch == nullptr) return false;
  Failures failures;
  {
    const MutexLock lock(workers_.mutex());
    scheduler_.answer_error(*batch, error, failures);
  }
  dispatch_all();
  complete(failures);
  return true;
}

bool Pool::on_no_arena(const WorkerPtr& worker, std::uint64_t id) {
  std::shared_ptr<const Batch> batch;
  {
    const MutexLock lock(workers_.mutex());
    batch = WorkerSet::find(*worker, id);
    if (batch == nullptr) return false;
  }
  if (send({worker, batch})) dispatch_all();
  return true;
}

Failures Pool::on_lost(const Batch& batch, const Status& why) {
  Failures failures;
  {
    const MutexLock lock(workers_.mutex());
    scheduler_.rescue(batch, why, failures);
  }
  dispatch_all();  // rescued calls go to idle workers
  return failures;
}

// ---- streams -----------------------------------------------------------------------------------

bool Pool::on_part(Worker& worker, std::uint64_t id, std::span<const bento_value> values,
                   ResultFrame& frame) {
  std::shared_ptr<const Batch> batch;
  CallPtr call;
  Failures failures;
  {
    const TimePoint now = deps_.clock.now();
    const MutexLock lock(workers_.mutex());
    batch = WorkerSet::find(worker, id);
    if (batch == nullptr || !spec_.methods[batch->method].streams) return false;
    worker.heard_at = now;
    worker.served = true;
    call = batch->calls.front();
    if (call->finished) return true;  // it has been told to stop
    call->has_emitted = true;
    const plugin::MethodSpec& method = spec_.methods[batch->method];
    if (const Status wrong = check_part(*call, values, method); !wrong.ok()) {
      // At the next tick the worker is told to stop.
      scheduler_.fail(*batch, malformed_result(method, wrong), failures);
    } else {
      ++call->ahead.results;
      call->ahead.bytes += frame.bytes();
      scheduler_.renew_deadline(*call, batch->method, now);
    }
  }
  if (!failures.empty()) {
    complete(failures);
    return true;
  }
  metrics(*batch).results->Increment();
  call->done({Status(), values, &frame, nullptr, /*more=*/true, frame.bytes()});
  return true;
}

void Pool::give_room(const CallPtr& call, const Window& taken) {
  wire::Room room;
  WorkerPtr worker;
  std::uint64_t id = 0;
  {
    const MutexLock lock(workers_.mutex());
    const bool was_held_up = call->is_held_up();
    call->ahead.results -= std::min(call->ahead.results, taken.results);
    call->ahead.bytes -= std::min(call->ahead.bytes, taken.bytes);
    call->taken.results += taken.results;
    call->taken.bytes += taken.bytes;
    worker = call->worker.lock();
    if (worker == nullptr) return;
    id = call->batch;
    if (!call->taken.is_half()) return;
    if (was_held_up) {
      if (const auto batch = WorkerSet::find(*worker, id))
        scheduler_.renew_deadline(*call, batch->method, deps_.clock.now());
    }
    room = {call->taken.results, static_cast<std::uint32_t>(call->taken.bytes)};
    call->taken = {};
  }
  AlignedBuffer out;
  wire::FrameWriter frame(out, wire::FrameType::kRoom, id, 0);
  frame.room(room);
  (void)frame.finish();
  worker->to.send(out);
}

void Pool::send_cancels(const std::vector<Cancel>& cancels) {
  for (const Cancel& cancel : cancels) {
    AlignedBuffer out;
    (void)wire::FrameWriter(out, wire::FrameType::kCancel, cancel.batch, 0).finish();
    cancel.worker->to.send(out);
  }
}

void Pool::on_gone() {
  Failures failures;
  {
    const MutexLock lock(workers_.mutex());
    if (workers_.slots_locked().are_hopeless())
      scheduler_.fail_queued(why_not_ready_locked(" is not available: "), failures);
  }
  complete(failures);
  worker_gone_.notify_all();
}

// ---- time ------------------------------------------------------------------------------------

bool Pool::tick(TimePoint now) {
  Failures failures;
  WorkerSet::Due due;
  std::vector<Cancel> cancels;
  bool is_needed = false, is_ripe = false, has_dropped = false;
  {
    const MutexLock lock(workers_.mutex());
    is_needed = workers_.tick_locked(
        now, due,
        [&](const WorkerPtr& worker, const Batch& batch)
            BENTO_NO_THREAD_SAFETY_ANALYSIS {  // mutex held
              const bool is_in_vain = scheduler_.expire_in_flight(batch, now, failures);
              if (!is_in_vain || batch.cancelled_at != kNoDeadline || !batch.is_sent) return;
              batch.cancelled_at = now;
              metrics(batch).cancels->Increment();
              cancels.push_back({worker, batch.id});
            });
    const std::size_t before = failures.size();
    is_needed = scheduler_.expire_queued(now, failures) || is_needed;
    has_dropped = failures.size() != before;
    is_ripe = now >= scheduler_.ripe_at();
  }
  send_cancels(cancels);
  complete(failures);
  // In case that the timer could not be had; and calls may have waited behind those dropped.
  if (is_ripe || has_dropped) dispatch_all();
  workers_.handle(std::move(due));
  return is_needed;
}

}  // namespace bentohost::runner
