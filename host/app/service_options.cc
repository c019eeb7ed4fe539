#include "app/service_options.h"

#include <algorithm>
#include <filesystem>

#include "base/process/launch.h"
#include "reload/watcher.h"

namespace bentohost::app {
namespace {

// Of the packages for Python programs: of the build or installation that `exe` belongs to.
std::string python_folder(const std::string& exe) {
  const auto prefix = std::filesystem::path(exe).parent_path().parent_path();
  return (prefix / BENTO_PYTHON_SUBDIR).string();
}

// Checks the names of services and runners in the command line.
Status check_names(const Config& config, const std::vector<std::string>& services,
                   const std::vector<std::string>& runners) {
  for (const Setting& setting : config.settings) {
    if (std::find(services.begin(), services.end(), setting.service) != services.end()) continue;
    std::string all;
    for (const std::string& service : services) all += (all.empty() ? "" : ", ") + service;
    return Status(BENTO_INVALID_ARGUMENT, "--set " + setting.service + "." + setting.option +
                                              ": there is no such service; here is " + all);
  }
  return check_runner_names(config.runner_workers_of, runners);
}

}  // namespace

reload::ServiceTableOptions service_table_options(
    const Config& config, const std::string& exe,
    std::function<std::vector<std::pair<std::string, std::string>>()> environment) {
  reload::ServiceTableOptions options;
  for (const PluginArg& plugin : config.plugins) {
    options.slots.push_back({plugin.library, plugin.prefix, false, "", "", {}, plugin.name});
  }
  if (!config.mounts.empty()) {
    options.slots.push_back({"libmounts.so", "", false, "", "mounts", config.mounts});
  }
  for (const UseArg& use : config.uses) {
    options.slots.push_back({"lib" + use.name + ".so", "", true, use.service, use.name});
  }
  options.stage.exe = own_program();
  options.stage.host_version = BENTO_VERSION;
  options.stage.settings = [&config](const std::string& service) {
    return settings_json(config.settings, service);
  };
  options.check_names = [&config](const auto& services, const auto& runners) {
    return check_names(config, services, runners);
  };
  options.stage.quiet = reload::Watcher::kQuiet;
  options.plugin_folders = reload::plugin_folders(exe, BENTO_PLUGIN_SUBDIR);
  options.runners = {own_program(), config.runner_workers, config.runner_workers_of,
                     config.max_queue, config.max_queue_bytes};
  options.runners.programs = {own_program(), python_folder(exe), std::move(environment),
                              config.copy_dir};
  if (config.max_arena_bytes > 0)
    options.runners.arenas = std::make_shared<MemoryBudget>(config.max_arena_bytes);
  options.copy_dir = config.copy_dir;
  options.start_limit = config.reload_timeout;
  options.unmaps = config.unmaps_retired;
  options.tries_samples = config.tries_samples;
  return options;
}

}  // namespace bentohost::app
