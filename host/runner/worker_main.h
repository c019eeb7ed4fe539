// The runner process: `bentohost runner PLUGIN RUNNER WORKER IMAGE PARENT_PID`. It loads the
// plugin, creates one instance of the runner, answers call frames one after the other, and ends
// when its stdin does.
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

// Returns the exit code: 0 after the end of stdin, 1 for what may work when tried again, 78
// (EX_CONFIG) for what will not: options that the runner's create() refuses with INVALID_ARGUMENT.
int run_worker(const WorkerConfig& config);

}  // namespace bentohost::runner
