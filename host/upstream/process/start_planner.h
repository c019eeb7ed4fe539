// StartPlanner: what is to be started for a mount, with all that can be wrong with it before a
// process exists: no such program, no folder for sockets. One thread.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "mount/app_spec.h"
#include "upstream/process/app_process.h"
#include "upstream/process/command.h"
#include "upstream/process/socket_folder.h"

namespace bentohost::upstream {

struct PlanOptions {
  Variables extra_environment;           // as in AppProcessesOptions
  std::vector<std::string> python_path;  // as there
  std::string socket_parent;             // as there
};

class StartPlanner {
 public:
  StartPlanner(const mount::Mount& mount, PlanOptions options);

  // For one start: each has its own socket.
  Result<AppStart> plan();
  // The path of the Python of the last plan; "" for commands.
  const std::string& interpreter() const { return interpreter_; }
  // After the last process: removes the folder of sockets.
  void finish() { folder_.reset(); }

 private:
  mount::Mount mount_;
  const PlanOptions options_;
  const Variables host_environment_;
  std::string path_;  // PATH of the app
  std::optional<SocketFolder> folder_;
  std::string interpreter_;
};

// "/old", and "/" for the mount at the root.
std::string place_of(const mount::Mount& mount);

}  // namespace bentohost::upstream
