// Staging: prepares a plugin's file for loading. The file is copied, checked and probed in a child
// process, and its options are checked. No plugin code runs in this process before all has passed.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <vector>

#include "plugin/brought_libraries.h"
#include "plugin/elf_facts.h"
#include "plugin/instance.h"
#include "plugin/private_copy.h"
#include "reload/progress.h"

namespace bentohost::reload {

// Options that all plugins share.
struct StageOptions {
  std::string exe, host_version;
  // The options that were given for a service, by the operator's name for it, as a JSON object.
  std::function<std::string(const std::string& service)> settings;
  // Called with that name before its options are asked for. Null: any will do.
  std::function<Status(const std::string& service)> check_name = nullptr;
  Duration quiet{};                                  // a file must be unchanged for this long
  Duration longest_wait = std::chrono::seconds(10);  // ... and how long to wait for that
  Duration probe_limit = std::chrono::seconds(10);
  const std::atomic<bool>* cancelled = nullptr;  // null: never cancelled
};

struct Staged {
  plugin::PluginConfig config;
  plugin::PrivateCopyPtr copy;
  plugin::FileStamp stamp;
  plugin::ElfFacts facts;
  plugin::Brought brought;
  std::string service;   // what the operator calls it
  std::string own_name;  // what the plugin calls it
  std::string version;
  std::vector<std::string> files;    // that its description was made from
  std::string files_state;           // their state before this process or a worker reads them
  std::vector<std::string> runners;  // SERVICE.RUNNER
};

// The state of these files as text: equal if none was replaced, rewritten, removed or created.
std::string state_of_files(const std::vector<std::string>& files);

// First half: only makes and reads copies. Errors name the file; `progress` has the failed step.
Result<Staged> copy_plugin(plugin::CopyFolder& folder, const std::string& path,
                           const StageOptions& options, Progress& progress);
// Second half: this thread starts the child process, at low priority if other services are
// serving. `staged.config.instance` is the operator's name for the service, or empty.
Status try_plugin(Staged& staged, const StageOptions& options, bool is_low_priority,
                  Progress& progress);

// The search path for bare plugin names: $BENTOHOST_PLUGIN_PATH (separated by colons), `subfolder`
// of the build or installation that `exe` belongs to, the working directory.
std::vector<std::string> plugin_folders(const std::string& exe, const std::string& subfolder);

}  // namespace bentohost::reload
