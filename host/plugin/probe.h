// The probe: loads and describes a plugin in a child process first. A plugin that crashes, throws
// or hangs while it loads then takes only the child with it, and its options are checked before any
// of its code runs here.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "plugin/plugin_file.h"

namespace bentohost::plugin {

struct ProbeReport {
  std::string service, version;  // the service's own name
  std::vector<std::string> routes, runners;
  std::vector<std::string> files;  // that the description was made from
  std::string description;         // its hash
};

// The child's side: `bentohost probe PATH IMAGE PARENT_PID INSTANCE`. Loads, opens, reads the
// options from stdin, has the plugin describe itself with them, and writes JSON lines to stdout:
// one for each step begun, one that asks for the options, then the report or the error. Returns the
// exit code. INSTANCE is what the operator calls the service, or empty.
int run_probe(const PluginFile& file, int parent_pid, const std::string& host_version,
              const std::string& instance);

struct ProbeOptions {
  std::string exe;  // this program
  Duration time_limit = std::chrono::seconds(10);
  bool is_low_priority = false;                  // other processes serve meanwhile
  const std::atomic<bool>* cancelled = nullptr;  // null: never
  std::string instance = {};                     // what the operator calls the service, or empty
  // Called once the service's own name and the schema of its options are known: its options,
  // checked, or why the plugin is not loaded with them. Null: there are none.
  std::function<Result<std::string>(const std::string& service, const std::string& options_schema)>
      options = nullptr;
};

// The host's side: runs `exe probe ...`. FAILED_PRECONDITION with the step and the cause: "libx.so
// crashed with SIGSEGV (signal 11) in bento_entry.open; its last output: ..."; UNAVAILABLE when
// cancelled; or what `options` returned. The child is killed at its time limit or when cancelled,
// whatever it has done with its descriptors, and dies with the calling thread. A child that
// survives SIGKILL is left behind. `last_step`, if given, becomes the step that the child was in
// when it ended: kProbeAbi, kProbeConfigure, or another step in words.
inline constexpr std::string_view kProbeAbi = "its ABI version";
inline constexpr std::string_view kProbeConfigure = "bento_entry.configure";
Result<ProbeReport> probe(const PluginFile& file, const ProbeOptions& options,
                          std::string* last_step = nullptr);

}  // namespace bentohost::plugin
