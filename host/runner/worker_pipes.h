// Worker pipes: watches the host's ends of one worker's pipes, and its pidfd, on an event loop, and
// turns what it reads into events: frames, ends, lines of stderr. (PipeWriter sends frames.) The
// functions keep no state: the Worker owns the descriptors and partly read frames and lines.
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
  // The worker sent bytes that are not a frame. Nothing more is read when broke_protocol is set.
  virtual void on_protocol_error(const WorkerPtr& worker, const std::string& what) = 0;
  // There was no memory to read the worker's frame.
  virtual void on_no_memory(const WorkerPtr& worker) = 0;
  // The worker has sent a message about its arenas.
  virtual void on_arena_message(const WorkerPtr& worker) = 0;
  // The worker has closed its stdout or its stdin.
  virtual void on_closed_pipe(const WorkerPtr& worker) = 0;
  // The worker's process has ended, and everything that it had sent was read.
  virtual void on_ended(const WorkerPtr& worker) = 0;

 protected:
  ~WorkerEvents() = default;
};

// Watches until unwatch_pipes(); `events` and `clock` must live until then. After an error some
// pipes are not watched; the end of the process is still noticed. (The pool's mutex may be held.)
Status watch_pipes(const WorkerPtr& worker, EventLoop& loop, const Clock& clock,
                   WorkerEvents& events);
void unwatch_pipes(Worker& worker, EventLoop& loop);

// Reads frames. `ended`: the process has ended, so all remaining frames are read.
void read_frames(const WorkerPtr& worker, bool ended, EventLoop& loop, WorkerEvents& events);
// Reads the last lines of stderr of a process that has ended; there may be many.
void read_last_lines(Worker& worker, TimePoint now);

}  // namespace bentohost::runner
