#include "reload/stage.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "plugin/check_options.h"
#include "plugin/elf_check.h"
#include "plugin/helper_libraries.h"
#include "plugin/probe.h"

namespace bentohost::reload {
namespace {

// A library beside the plugin, found by $ORIGIN, is to be found beside the copy as well.
void link_neighbours(const plugin::CopyFolder& folder, const plugin::PluginFile& file,
                     const plugin::ElfFacts& facts) {
  if (facts.runpath.find("$ORIGIN") == std::string::npos &&
      facts.runpath.find("${ORIGIN}") == std::string::npos) {
    return;
  }
  std::error_code ignored;
  for (const std::string& name : facts.needed) {
    const std::filesystem::path neighbour = std::filesystem::path(file.dir()) / name;
    if (std::filesystem::exists(neighbour, ignored)) {
      std::filesystem::create_symlink(neighbour, std::filesystem::path(folder.path()) / name,
                                      ignored);
    }
  }
}

}  // namespace

Result<Staged> copy_plugin(plugin::CopyFolder& folder, const std::string& path,
                           const StageOptions& options, Progress& progress) {
  Staged staged;
  progress.enter(Step::kCopy);
  auto copy = folder.copy(path, options.quiet, options.longest_wait, staged.stamp);
  if (!copy.ok()) return std::move(copy).take_status();
  staged.copy = *std::move(copy);
  staged.config.file = {path, staged.copy->path()};
  staged.config.host_version = options.host_version;

  progress.enter(Step::kElf);
  if (Status status = plugin::check_elf_file(staged.copy->path()); !status.ok()) {
    return std::move(status).prefixed(path + ": ");
  }
  staged.facts = plugin::elf_facts(staged.copy->path());
  link_neighbours(folder, staged.config.file, staged.facts);
  return staged;
}

Status try_plugin(Staged& staged, const StageOptions& options, bool is_gentle, Progress& progress) {
  progress.enter(Step::kProbe);
  std::string last_step;
  auto report =
      plugin::probe(staged.config.file,
                    {options.exe, options.probe_limit, is_gentle, options.cancelled}, &last_step);
  if (!report.ok()) {
    if (last_step == plugin::kProbeAbi) progress.enter(Step::kAbi);
    return std::move(report).take_status();
  }
  staged.service = (*report).service;
  staged.version = (*report).version;
  staged.runners = (*report).runners;

  progress.enter(Step::kOptions);
  auto given = parse_json(options.settings(staged.service));
  if (!given.ok()) return std::move(given).take_status();
  auto checked = plugin::check_options((*report).options_schema, *std::move(given));
  if (!checked.ok()) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "options of service " + staged.service + ": " + checked.status().message());
  }
  staged.config.options_json = *std::move(checked);

  progress.enter(Step::kLibraries);
  return plugin::check_helper_libraries(staged.facts).prefixed(staged.config.file.path + ": ");
}

std::vector<std::string> plugin_folders(const std::string& exe, const std::string& subfolder) {
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
  folders.push_back((bin.parent_path() / subfolder).string());
  folders.emplace_back(".");
  return folders;
}

}  // namespace bentohost::reload
