#include "app/staging.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "base/json.h"
#include "plugin/check_options.h"
#include "plugin/library.h"
#include "plugin/probe.h"

namespace bentohost::app {
namespace {

constexpr Duration kProbeLimit = std::chrono::seconds(10);

struct Staged {
  plugin::PluginConfig config;
  std::string prefix, service;
};

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

Result<Staged> stage(const PluginArg& argument, const Config& config, const std::string& exe) {
  auto path = plugin::find_plugin(argument.library, plugin_folders(exe));
  if (!path.ok()) return std::move(path).take_status();
  auto report = plugin::probe(exe, *path, kProbeLimit);
  if (!report.ok()) return std::move(report).take_status();

  const std::string& service = (*report).service;
  auto given = parse_json(settings_json(config.settings, service));
  if (!given.ok()) return std::move(given).take_status();
  auto options = plugin::check_options((*report).options_schema, *std::move(given));
  if (!options.ok()) {
    return invalid("options of service " + service + ": " + options.status().message());
  }
  return Staged{{*path, *options, BENTO_VERSION}, argument.prefix, service};
}

Status check_names(const std::vector<Staged>& staged, const Config& config) {
  std::string names;
  for (const Staged& one : staged) {
    const auto same = std::count_if(staged.begin(), staged.end(), [&](const Staged& other) {
      return other.service == one.service;
    });
    if (same > 1)
      return invalid("two plugins are called " + one.service + ": a service's name is its own");
    names += (names.empty() ? "" : ", ") + one.service;
  }
  for (const Setting& setting : config.settings) {
    const bool known = std::any_of(staged.begin(), staged.end(), [&](const Staged& one) {
      return one.service == setting.service;
    });
    if (!known) {
      return invalid("--set " + setting.service + "." + setting.option +
                     ": there is no such service; here is " + names);
    }
  }
  return {};
}

Status check_uses(const std::vector<Staged>& staged, const Config& config) {
  for (const UseArg& use : config.uses) {
    const auto same = std::count_if(config.uses.begin(), config.uses.end(),
                                    [&](const UseArg& other) { return other.name == use.name; });
    if (same > 1) {
      return invalid("--use " + use.name + " is given twice: it goes around each service, or one");
    }
    const auto end = staged.begin() + static_cast<std::ptrdiff_t>(config.plugins.size());
    const bool known =
        use.service.empty() ||
        std::any_of(staged.begin(), end, [&](const Staged& s) { return s.service == use.service; });
    if (!known)
      return invalid("--use " + use.service + ":" + use.name + ": there is no such service");
  }
  return {};
}

}  // namespace

std::vector<std::string> plugin_folders(const std::string& exe) {
  std::vector<std::string> folders;
  if (const char* list = std::getenv("BENTOHOST_PLUGIN_PATH")) {
    std::string_view rest = list;
    while (!rest.empty()) {
      const std::size_t colon = std::min(rest.find(':'), rest.size());
      if (colon != 0) folders.emplace_back(rest.substr(0, colon));
      rest.remove_prefix(std::min(colon + 1, rest.size()));
    }
  }
  const std::filesystem::path bin = std::filesystem::path(exe).parent_path();
  folders.push_back((bin.parent_path() / BENTO_PLUGIN_SUBDIR).string());
  folders.emplace_back(".");
  return folders;
}

Result<StagedServices> stage_plugins(const Config& config, const std::string& exe) {
  std::vector<Staged> staged;
  for (const PluginArg& argument : config.plugins) {
    auto one = stage(argument, config, exe);
    if (!one.ok()) return std::move(one).take_status();
    staged.push_back(*std::move(one));
  }
  for (const UseArg& use : config.uses) {
    auto one = stage({"", "lib" + use.name + ".so"}, config, exe);
    if (!one.ok()) return std::move(one).take_status().prefixed("--use " + use.name + ": ");
    if (one->service != use.name) {
      return invalid("--use " + use.name + ": " + one->config.path + " is of a service called " +
                     one->service);
    }
    staged.push_back(*std::move(one));
  }
  if (Status status = check_uses(staged, config); !status.ok()) return status;
  if (Status status = check_names(staged, config); !status.ok()) return status;

  StagedServices services;
  for (std::size_t i = 0; i < staged.size(); ++i) {
    auto service =
        service::LiveService::load(std::move(staged[i].config), std::move(staged[i].prefix));
    if (!service.ok()) return std::move(service).take_status();
    if (i < config.plugins.size()) {
      services.served.push_back(*std::move(service));
      continue;
    }
    const plugin::ServiceSpec& spec = (*service)->spec();
    if (!spec.apis.empty() || !spec.mounts.empty() || !spec.runners.empty() ||
        spec.middleware.empty()) {
      return invalid("--use " + spec.name +
                     ": it is a service, to be served with --plugin, and no "
                     "middleware alone");
    }
    services.around.push_back(*std::move(service));
  }
  return services;
}

}  // namespace bentohost::app
