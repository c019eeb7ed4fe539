// The probe: loads and describes a plugin in a child process first. A plugin that crashes, throws
// or hangs while it loads then takes only the child with it, and its options are checked before any
// of its code runs here.
#pragma once

#include <atomic>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "plugin/plugin_file.h"

namespace bentohost::plugin {

struct ProbeReport {
  std::string service, version, options_schema;
  std::vector<std::string> routes, runners;
};

// The child's side: `bentohost probe PATH IMAGE PARENT_PID`. Loads, opens, describes, and writes
// JSON lines to stdout: one for each step begun, then the report or the error. Returns the exit
// code. The plugin's options are not known yet, so it is opened without any.
int run_probe(const PluginFile& file, int parent_pid, const std::string& host_version);

struct ProbeOptions {
  std::string exe;  // this program
  Duration time_limit = std::chrono::seconds(10);
  bool is_low_priority = false;                  // other processes serve meanwhile
  const std::atomic<bool>* cancelled = nullptr;  // null: never
};

// The host's side: runs `exe probe ...`. FAILED_PRECONDITION with the step and the cause: "libx.so
// crashed with SIGSEGV (signal 11) in bento_entry.open; its last output: ..."; UNAVAILABLE when
// cancelled. The child is killed at its time limit or when cancelled, whatever it has done with its
// descriptors, and dies with the calling thread. A child that survives SIGKILL is left behind.
// `last_step`, if given, becomes the step that the child was in when it ended: kProbeAbi, or
// another step in words.
inline constexpr std::string_view kProbeAbi = "its ABI version";
Result<ProbeReport> probe(const PluginFile& file, const ProbeOptions& options,
                          std::string* last_step = nullptr);

}  // namespace bentohost::plugin
