// Staging: from a plugin's file to one that can be loaded: copied, checked, tried out in a child
// process, its options checked. No plugin code runs in this process before all of it has passed.
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

// What is the same for all.
struct StageOptions {
  std::string exe, host_version;
  // The options that were given for a service, as a JSON object.
  std::function<std::string(const std::string& service)> settings;
  Duration quiet{};                                  // how long a file must have been left alone
  Duration longest_wait = std::chrono::seconds(10);  // ... and how long to wait for that
  Duration probe_limit = std::chrono::seconds(10);
  const std::atomic<bool>* cancelled = nullptr;  // null: nobody does
};

struct Staged {
  plugin::PluginConfig config;
  plugin::PrivateCopyPtr copy;
  plugin::FileStamp stamp;
  plugin::ElfFacts facts;
  plugin::Brought brought;
  std::string service, version;
  std::vector<std::string> runners;  // SERVICE.RUNNER
};

// The first half: only copies are made and looked at. Errors name the file; `progress` says where.
Result<Staged> copy_plugin(plugin::CopyFolder& folder, const std::string& path,
                           const StageOptions& options, Progress& progress);
// The second: the child process is started by this thread; it is of low priority when others serve
// meanwhile.
Status try_plugin(Staged& staged, const StageOptions& options, bool is_low_priority,
                  Progress& progress);

// Where bare plugin names are looked for: $BENTOHOST_PLUGIN_PATH (colons between), `subfolder` of
// the build or installation that `exe` belongs to, the working directory.
std::vector<std::string> plugin_folders(const std::string& exe, const std::string& subfolder);

}  // namespace bentohost::reload
