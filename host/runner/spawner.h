// Spawner: the seam through which a pool gets worker processes. The real one starts `bentohost
// runner` with Poco::Process; tests hand out pipes whose other ends they hold themselves.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/loop/event_loop.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "plugin/plugin_file.h"

namespace bentohost::runner {

// The host's ends of a worker process. The descriptors are non-blocking and close-on-exec.
struct Child {
  int pid = -1;     // -1: no process (tests)
  UniqueFd to;      // a pipe that it reads: frames
  UniqueFd from;    // its stdout: frames
  UniqueFd err;     // its stderr: lines
  UniqueFd pidfd;   // readable when the process has ended; may be absent
  UniqueFd arenas;  // a socket for messages about shared memory; may be absent
  bool is_low_priority = false;
};

class Spawner {
 public:
  virtual ~Spawner() = default;
  // Called once, on any thread: perhaps on the thread of spawn(), before spawn() returns.
  using Done = std::function<void(Result<Child>)>;
  // [any] `is_low_priority`: others are serving meanwhile (base/low_priority.h).
  virtual void spawn(const std::string& runner, std::uint32_t worker, bool is_low_priority,
                     Done done) = 0;
};

class ProcessSpawner final : public Spawner {
 public:
  // `exe` is this program's own file. The thread of `launcher` starts the processes: a start takes
  // longer than a serving thread can spare. Processes die with the thread that started them, so
  // this thread must live as long as the host.
  ProcessSpawner(std::string exe, plugin::PluginFile file, std::shared_ptr<EventLoop> launcher)
      : exe_(std::move(exe)), file_(std::move(file)), launcher_(std::move(launcher)) {}
  void spawn(const std::string& runner, std::uint32_t worker, bool is_low_priority,
             Done done) override;

 private:
  std::string exe_;
  plugin::PluginFile file_;
  std::shared_ptr<EventLoop> launcher_;
};

}  // namespace bentohost::runner
