// The runner process: `bentohost runner PLUGIN RUNNER WORKER IMAGE PARENT_PID`. It loads the
// plugin, creates one instance of the runner, answers call frames one after the other, and exits
// at the end of its stdin.
#pragma once

#include <cstdint>
#include <string>

#include "plugin/plugin_file.h"

namespace bentohost::runner {

struct WorkerConfig {
  plugin::PluginFile file;
  std::string runner;
  std::uint32_t worker = 0;
  int parent_pid = 0;
  std::string host_version;
};

// Returns the exit code: 0 at the end of stdin, 1 for errors that a retry may cure, 78 (EX_CONFIG)
// for errors that it cannot: options that the runner's create() refuses with INVALID_ARGUMENT.
int run_worker(const WorkerConfig& config);

}  // namespace bentohost::runner
