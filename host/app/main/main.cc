// bentohost: the command. `bentohost --plugin ...` serves; `bentohost healthcheck` and
// `bentohost reload` are clients of a running host. `bentohost runner ...`, `bentohost probe ...`
// and `bentohost guardian ...` are for its own child processes, not for people; and so is a
// `bentohost
// --plugin ...` whose environment says that it is supervised.
#include <sys/auxv.h>
#include <sys/prctl.h>

#include <cstdio>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "app/config.h"
#include "app/healthcheck.h"
#include "app/lifecycle.h"
#include "app/reload_command.h"
#include "app/supervision.h"
#include "base/process/child_stdio.h"
#include "plugin/probe.h"
#include "runner/worker_main.h"
#include "supervise/supervisor_client.h"
#include "upstream/process/guardian.h"

namespace {

constexpr int kExitUsage = 2;

// The path by which this program was started, where an upgrade may put another file; `exe` if the
// path already leads to another file.
std::string path_as_started(const std::string& exe) {
  const char* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
  std::error_code error;
  if (name == nullptr || !std::filesystem::equivalent(name, exe, error)) return exe;
  return std::filesystem::absolute(name, error).string();
}

bool is_child_role(std::string_view role) {
  return role == "runner" || role == "probe" || role == "guardian";
}

int run_child(std::string_view role, const std::vector<std::string>& arguments) {
  if (role == "guardian" && arguments.size() == 1) {
    return bentohost::upstream::run_guardian(std::stoi(arguments[0]));
  }
  if (role == "probe" && arguments.size() == 4) {
    return bentohost::plugin::run_probe({arguments[0], arguments[1]}, std::stoi(arguments[2]),
                                        BENTO_VERSION, arguments[3]);
  }
  if (role == "runner" && arguments.size() == 5) {
    return bentohost::runner::run_worker({{arguments[0], arguments[3]},
                                          arguments[1],
                                          static_cast<std::uint32_t>(std::stoul(arguments[2])),
                                          std::stoi(arguments[4]),
                                          BENTO_VERSION});
  }
  std::fputs("bentohost: guardian, probe and runner are for bentohost's own use\n", stderr);
  return kExitUsage;
}

}  // namespace

int main(int argc, char** argv) try {
  bentohost::fill_stdio();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (!arguments.empty() && is_child_role(arguments[0])) {
    return run_child(arguments[0], {arguments.begin() + 1, arguments.end()});
  }
  if (!arguments.empty() && arguments[0] == "healthcheck") {
    return bentohost::app::healthcheck({arguments.begin() + 1, arguments.end()});
  }
  if (!arguments.empty() && arguments[0] == "reload") {
    return bentohost::app::reload_command({arguments.begin() + 1, arguments.end()});
  }
  auto line = bentohost::app::parse_command_line(arguments);
  if (!line.ok()) {
    std::fprintf(stderr, "bentohost: %s\nTry bentohost --help.\n", line.status().message().c_str());
    return kExitUsage;
  }
  switch (line->action) {
    case bentohost::app::CommandLine::Action::kHelp:
      std::fputs(bentohost::app::help_text().c_str(), stdout);
      return 0;
    case bentohost::app::CommandLine::Action::kVersion:
      std::puts("bentohost " BENTO_VERSION);
      return 0;
    case bentohost::app::CommandLine::Action::kServe:
      break;
  }
  const std::string exe = std::filesystem::read_symlink("/proc/self/exe").string();
  bentohost::supervise::SupervisorClient supervisor;
  if (line->config.supervisor && !supervisor.is_supervisor()) {
    return bentohost::app::supervise_service(line->config, path_as_started(exe),
                                             {argv, argv + argc});
  }
  ::prctl(PR_SET_NAME, "bentohost");  // a supervisor starts it as "exe" (base/process/launch.h)
  return bentohost::app::serve(line->config, exe, supervisor);
} catch (const std::system_error& e) {
  std::fprintf(stderr, "bentohost: the system has no thread or descriptor left for it: %s\n",
               e.what());
  return 1;
} catch (const std::exception& e) {
  std::fprintf(stderr, "bentohost: %s\n", e.what());
  return 1;
}
