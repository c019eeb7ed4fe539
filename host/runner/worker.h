// Worker: the host's side of one runner process: its pipes, the frames on their way to it and the
// bytes that have come back.
//
// Its legal states, and the transitions between them:
//   starting -> idle    it says that it is ready
//   idle     -> busy    it is given a batch, or a call of an engine; more of such calls may follow
//   busy     -> idle    nothing is in flight any more: it returned the last result or error; or the
//                       batch did not fit in a frame
//   any      -> ending  the end of its stdin tells it to end; it has closed a pipe; the host has
//                       killed it; its process has ended
// Ending is final: the worker gets no more work. It may still answer the batch that it has, until
// it is killed or its process ends.
//
// Threads: `state`, `served`, `in_flight`, `heard_at` and `kill_at` are guarded by the pool's
// mutex; a PipeWriter has its own lock, because any thread that has work for an idle worker writes
// to it; the rest belongs to the event loop.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "base/aligned_buffer.h"
#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/mutex.h"
#include "base/process/line_relay.h"
#include "base/status.h"
#include "runner/arenas.h"
#include "runner/call.h"
#include "runner/spawner.h"
#include "wire/frame.h"

namespace bentohost::runner {

// The writing end of a worker's stdin. Bytes that the pipe does not take at once are kept, and sent
// when the loop finds it writable. Writes to a broken pipe are dropped: the worker's death is
// noticed where its output is read. The loop's lock may be taken under this lock: a sender must not
// write to another descriptor that has reused the number of this one.
class PipeWriter {
 public:
  // The loop must outlive the writer.
  PipeWriter(EventLoop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}

  // [loop] From now on unsent bytes are sent as the pipe takes them; `on_closed` is called when its
  // reading end is closed. On error nothing is watched.
  Status watch(std::function<void()> on_closed);
  // [any]
  void send(const AlignedBuffer& frame);
  // [loop] Closes it for good.
  void close();

 private:
  void flush();
  std::size_t write_some(const char* data, std::size_t length) BENTO_REQUIRES(mutex_);

  EventLoop& loop_;
  Mutex mutex_;
  UniqueFd fd_ BENTO_GUARDED_BY(mutex_);
  AlignedBuffer rest_ BENTO_GUARDED_BY(mutex_);
  std::size_t rest_sent_ BENTO_GUARDED_BY(mutex_) = 0;
};

struct Worker {
  enum class State { kStarting, kIdle, kBusy, kEnding };

  Worker(EventLoop& loop, std::string service, std::string runner, std::uint32_t i, Child child,
         const ArenaSet::Deps& arena_deps, const observe::ArenaMetrics& arena_metrics)
      : index(i),
        pid(child.pid),
        to(loop, std::move(child.to)),
        arenas(std::make_shared<ArenaSet>(std::move(child.arenas), arena_deps, arena_metrics)),
        from(std::move(child.from)),
        err(std::move(child.err)),
        pidfd(std::move(child.pidfd)),
        is_low_priority(child.is_low_priority),
        stderr_relay(std::move(service), std::move(runner), i) {}

  // Sends SIGKILL; `why` goes into the report of the worker's death.
  void kill(TimePoint now, std::string why);
  // Whether its slot is free only once the process has ended: false in tests without processes.
  bool has_process() const { return pid > 0 || pidfd; }

  const std::uint32_t index;
  const int pid;  // -1: there is no process behind the pipes (tests)
  PipeWriter to;
  const std::shared_ptr<ArenaSet> arenas;  // threads: see arenas.h
  UniqueFd from, err, pidfd;
  bool is_low_priority;                       // while it starts
  TimePoint relax_priority_at = kNoDeadline;  // while it starts

  State state = State::kStarting;
  bool was_up = false;              // it has said ready
  bool served = false;              // a result has come back from it
  Batches in_flight;                // while busy: one, or an engine's calls
  TimePoint heard_at{};             // when it last sent something, while it has an engine's calls
  TimePoint kill_at = kNoDeadline;  // while busy with a batch: from then on it counts as hung

  bool dead = false;  // its end has been handled
  wire::FrameReader reader;
  LineRelay stderr_relay;
  std::string start_error;  // its error message when it could not start
  std::string killed_for;   // why the host killed it, if it did
  TimePoint killed_at = kNoDeadline;
  bool is_undying = false;  // it has not died of the kill, and the log says so
  bool broke_protocol = false;
  bool has_failed_to_report = false;  // its metrics, and the log says so
};
using WorkerPtr = std::shared_ptr<Worker>;

// Writes `batch` as one call frame into `out`; the inputs of several calls are joined along `axis`.
// Large inputs are written into arenas, where there are any; those of engines' calls never are, as
// several are in flight. Returns false and leaves `out` empty
// when the batch does not fit in a frame; the arenas are in use until end_batch() in any case.
bool encode_batch(const Batch& batch, std::int32_t axis, ArenaSet& arenas, AlignedBuffer& out);

// Completes each unfinished call of `batch` with its rows of `values` (the values of the result
// frame). If they cannot be handed out (too few rows, ...), returns an error and completes no call.
Status deliver_batch(const Batch& batch, std::span<const bento_value> values, std::int32_t axis,
                     ResultFrame& frame);

}  // namespace bentohost::runner
