// Staging: from a plugin's name on the command line to a service that is loaded: finding the file,
// trying it out in a child process, checking its options. No plugin code runs in this process
// before all of it passed.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/config.h"
#include "service/live_service.h"

namespace bentohost::app {

// Where bare plugin names are looked for: $BENTOHOST_PLUGIN_PATH (colons between), the plugin
// folder of the build or installation that `exe` belongs to, the working directory.
std::vector<std::string> plugin_folders(const std::string& exe);

struct StagedServices {
  std::vector<std::unique_ptr<service::LiveService>> served;  // in the order of --plugin
  std::vector<std::unique_ptr<service::LiveService>> around;  // in the order of --use
};

// All of them or an error that names the plugin and the step. Refuses a --set that is for none of
// them.
Result<StagedServices> stage_plugins(const Config& config, const std::string& exe);

}  // namespace bentohost::app
