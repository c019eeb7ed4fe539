// Worker: the host's side of one runner process: its pipes, what is on its way to it and what has
// come back.
//
// Its legal states, and what leads from one to the next:
//   starting -> idle    it says that it is ready
//   idle     -> busy    it is given a batch
//   busy     -> idle    it answers, with a result or an error; or no frame could hold the batch
//   any      -> ending  the end of its stdin tells it to end; it has closed a pipe; the host has
//                       killed it; its process has ended
// Ending is final: it gets no more work. A batch that it has then it may still answer, until it is
// killed or its process ends.
//
// Threads: `state`, `served`, `batch` and `kill_at` are guarded by the pool's mutex; a PipeWriter
// locks for itself, as whoever has work for an idle worker writes to it; the rest is the event
// loop's.
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
#include "runner/call.h"
#include "runner/spawner.h"
#include "wire/frame.h"

namespace bentohost::runner {

// The writing end of a worker's stdin: what the pipe does not take at once is kept, and sent when
// the loop says that it does. A broken pipe swallows what is written: the worker's death is noticed
// where its answers are read. Its lock may be followed by the loop's: who sends must not meet
// another descriptor under a number that was this one's.
class PipeWriter {
 public:
  // The loop must outlive it.
  PipeWriter(EventLoop& loop, UniqueFd fd) : loop_(loop), fd_(std::move(fd)) {}

  // [loop] From now on what is left is sent as the pipe takes it; `on_closed` is called when nobody
  // reads it any more. On error nothing is watched.
  Status watch(std::function<void()> on_closed);
  // [any]
  void send(const AlignedBuffer& frame);
  // [loop] Once and for all.
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

  Worker(EventLoop& loop, std::string service, std::string runner, std::uint32_t i, Child child)
      : index(i),
        pid(child.pid),
        to(loop, std::move(child.to)),
        from(std::move(child.from)),
        err(std::move(child.err)),
        pidfd(std::move(child.pidfd)),
        is_low_priority(child.is_low_priority),
        stderr_relay(std::move(service), std::move(runner), i) {}

  // SIGKILL; `why` goes into the report of its death.
  void kill(TimePoint now, std::string why);
  // Whether its end must be heard of before its place is free: not in tests without processes.
  bool has_process() const { return pid > 0 || pidfd; }

  const std::uint32_t index;
  const int pid;  // -1: there is no process behind the pipes (tests)
  PipeWriter to;
  UniqueFd from, err, pidfd;
  bool is_low_priority;                       // while it starts
  TimePoint relax_priority_at = kNoDeadline;  // while it starts

  State state = State::kStarting;
  bool was_up = false;                 // it has said ready
  bool served = false;                 // a result has come back from it
  std::shared_ptr<const Batch> batch;  // while busy
  TimePoint kill_at = kNoDeadline;     // while busy: when it counts as hung

  bool dead = false;  // its end has been dealt with
  wire::FrameReader reader;
  LineRelay stderr_relay;
  std::string start_error;  // what it said when it could not start
  std::string killed_for;   // why the host killed it, if it did
  TimePoint killed_at = kNoDeadline;
  bool is_undying = false;  // it has not died of that, and the log says so
  bool broke_protocol = false;
};
using WorkerPtr = std::shared_ptr<Worker>;

// Writes `batch` as one call frame into `out`; the inputs of several calls are joined along `axis`.
// False, and nothing in `out`, when no frame can hold it.
bool encode_batch(const Batch& batch, std::int32_t axis, AlignedBuffer& out);

// Completes each call of `batch` that is not finished with its rows of `values` (those of the
// result frame). Returns the error for which they cannot be handed out (too few rows, ...); then no
// call was completed.
Status deliver_batch(const Batch& batch, std::span<const bento_value> values, std::int32_t axis);

}  // namespace bentohost::runner
