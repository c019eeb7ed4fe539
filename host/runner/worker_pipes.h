// Worker pipes: the host's ends of one worker's pipes, and its pidfd, watched on an event loop, and
// the events that are read from them: frames, ends, lines of stderr. (Frames to a worker are
// PipeWriter's.) They keep nothing: the descriptors and what was read in part are the Worker's.
//
// Threads: all on the loop, with no lock held except as noted.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "runner/worker.h"
#include "wire/frame.h"

namespace bentohost::runner {

class WorkerEvents {
 public:
  virtual void on_frame(const WorkerPtr& worker, const wire::FrameReader::Frame& frame) = 0;
  // What it has sent is no frame. Nothing more is read when broke_protocol is set.
  virtual void on_protocol_error(const WorkerPtr& worker, const std::string& what) = 0;
  // There was no memory to read its frame.
  virtual void on_no_memory(const WorkerPtr& worker) = 0;
  // It has closed its stdout, or nobody reads its stdin any more.
  virtual void on_closed_pipe(const WorkerPtr& worker) = 0;
  // Its process has ended, and all that it had sent was read.
  virtual void on_ended(const WorkerPtr& worker) = 0;

 protected:
  ~WorkerEvents() = default;
};

// Until unwatch_pipes(); `events` and `clock` must live until then. An error leaves some pipes that
// are never heard of; the end of the process still is. (The pool's mutex may be held.)
Status watch_pipes(const WorkerPtr& worker, EventLoop& loop, const Clock& clock,
                   WorkerEvents& events);
void unwatch_pipes(Worker& worker, EventLoop& loop);

// Reads frames. `ended`: the process has ended, and all of them are read.
void read_frames(const WorkerPtr& worker, bool ended, EventLoop& loop, WorkerEvents& events);
// The last words of a process that has ended, and they may be many.
void read_last_lines(Worker& worker, TimePoint now);

}  // namespace bentohost::runner
