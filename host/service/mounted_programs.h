// MountedPrograms: the programs that a service mounts (see mount/app_spec.h), each with its
// processes and the proxy's way to them. They start and end with the generation of the service.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "mount/app_spec.h"
#include "observe/metrics.h"
#include "upstream/process/app_processes.h"
#include "upstream/upstream.h"

namespace bentohost::service {

struct ProgramOptions {
  std::string exe;            // this program, started again as `exe guardian ...`
  std::string python_folder;  // has the packages bento_runner and bento_wsgi
  // What each program finds in its environment: how it reaches the runners. Called when programs
  // start, on the thread of start(). May be empty.
  std::function<std::vector<std::pair<std::string, std::string>>()> environment;
  std::string socket_parent;  // for the folder of the programs' sockets; "": a system folder
};

struct MountedProgram {
  mount::Mount mount;                                 // its prefix is the whole one, "" for "/"
  std::shared_ptr<upstream::Upstream> upstream;       // null before start()
  std::unique_ptr<upstream::AppProcesses> processes;  // null before start()
};

// start() and stop() from one thread at a time; everything else [any].
class MountedPrograms {
 public:
  explicit MountedPrograms(std::vector<mount::Mount> mounts);
  ~MountedPrograms();

  const std::vector<MountedProgram>& all() const { return programs_; }

  struct Deps {
    const std::shared_ptr<EventLoop>& launcher;
    const Clock& clock;
    observe::Metrics& metrics;
  };
  void start(const std::string& service, const ProgramOptions& options, const Deps& deps);
  // Whether all programs answer. An error: one of them will not.
  Result<bool> is_warm() const;
  Status readiness() const;
  Status may_get_ready() const;
  // Ends the WebSockets, which no generation and no stop waits for; or all requests.
  void end_tunnels() const;
  void end_requests() const;
  // Ends the processes, all at once; what has not ended by its stop_timeout from now, or by
  // `deadline` if that is later, is killed. Not for a loop's thread.
  void stop(TimePoint deadline);
  // The longest stop_timeout.
  Duration stop_timeout() const;

  // The state of the source files in the programs' folders, now and at the start, as text: see
  // source_files.h. It reads the folders.
  std::string sources_now() const;
  const std::string& sources_at_start() const { return sources_; }
  // The folders, for a watcher.
  std::vector<std::string> folders() const;

  // Sets the gauges of `metrics` to the present load.
  void show_load(const std::string& service, observe::Metrics& metrics) const;

 private:
  std::vector<MountedProgram> programs_;
  const Clock* clock_ = nullptr;  // null before start()
  std::string sources_;           // at the start
};

}  // namespace bentohost::service
