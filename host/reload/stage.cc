#include "reload/stage.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <utility>

#include "json/json.h"
#include "plugin/check_options.h"
#include "plugin/elf_check.h"
#include "plugin/file_copy.h"
#include "plugin/probe.h"

namespace bentohost::reload {
Result<Staged> copy_plugin(plugin::CopyFolder& folder, const std::string& path,
                           const StageOptions& options, Progress& progress) {
  Staged staged;
  const plugin::CopyFolder::Patience patience{options.quiet, options.longest_wait};
  progress.enter(Step::kCopy);
  auto made = folder.copy(path, patience, staged.stamp);
  if (!made.ok()) return std::move(made).take_status();
  const std::shared_ptr<plugin::PrivateCopy> copy = *std::move(made);
  staged.copy = copy;

  progress.enter(Step::kElf);
  if (Status status = plugin::check_elf_file(copy->readable()); !status.ok()) {
    return std::move(status).prefixed(path + ": ");
  }
  staged.facts = plugin::elf_facts(copy->readable());

  progress.enter(Step::kLibraries);
  staged.brought = plugin::find_brought(path, staged.facts);
  if (Status status = folder.surround(*copy, staged.brought, patience); !status.ok()) {
    return std::move(status).prefixed(path + ": ");
  }
  staged.config.file = {path, copy->path(), copy};
  staged.config.host_version = options.host_version;
  return staged;
}

Status try_plugin(Staged& staged, const StageOptions& options, bool is_low_priority,
                  Progress& progress) {
  progress.enter(Step::kProbe);
  std::string last_step;
  plugin::ProbeOptions how{options.exe, options.probe_limit, is_low_priority, options.cancelled,
                           staged.config.instance};
  how.options = [&](const std::string& own_name, const std::string& schema) -> Result<std::string> {
    staged.own_name = own_name;
    staged.service = staged.config.instance.empty() ? own_name : staged.config.instance;
    if (options.check_name != nullptr) {
      if (Status status = options.check_name(staged.service); !status.ok()) return status;
    }
    progress.enter(Step::kOptions);
    auto checked = plugin::check_options(schema, options.settings(staged.service));
    if (!checked.ok()) {
      return Status(BENTO_INVALID_ARGUMENT,
                    "options of service " + staged.service + ": " + checked.status().message());
    }
    staged.config.options_json = *checked;
    progress.enter(Step::kConfigure);
    return checked;
  };
  auto report = plugin::probe(staged.config.file, how, &last_step);
  if (!report.ok()) {
    if (last_step == plugin::kProbeAbi) progress.enter(Step::kAbi);
    return std::move(report).take_status();
  }
  staged.version = (*report).version;
  staged.config.description = (*report).description;
  staged.files = (*report).files;
  staged.files_state = state_of_files(staged.files);
  for (const std::string& runner : (*report).runners) {
    staged.runners.push_back(staged.service + "." + runner);
  }
  return {};
}

std::string state_of_files(const std::vector<std::string>& files) {
  std::string state;
  for (const std::string& file : files) {
    const auto stamp = plugin::file_stamp(file);
    state += file + "\n";
    if (!stamp.ok()) {
      state += "missing\n";
      continue;
    }
    for (const auto number : {stamp->device, stamp->inode, stamp->size}) {
      state += std::to_string(number) + " ";
    }
    state += std::to_string(stamp->modified_ns) + " " + std::to_string(stamp->changed_ns) + "\n";
  }
  return state;
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
