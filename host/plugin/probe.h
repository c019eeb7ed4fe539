// The probe: a plugin is loaded and described in a child process first, so that one that crashes,
// throws or hangs while it loads takes only the child with it, and so that its options are checked
// before any of its code runs here.
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

// The child's side: `bentohost probe PATH IMAGE PARENT_PID`. Loads, opens, describes, writes the
// report to stdout as JSON lines, one for each step begun, the last one the report or the error;
// returns the exit code. The plugin's options are not known yet: it opens without any.
int run_probe(const PluginFile& file, int parent_pid, const std::string& host_version);

struct ProbeOptions {
  std::string exe;  // this program
  Duration time_limit = std::chrono::seconds(10);
  bool is_low_priority = false;                  // others serve meanwhile (base/low_priority.h)
  const std::atomic<bool>* cancelled = nullptr;  // null: nobody does
};

// The host's side: runs `exe probe ...`. FAILED_PRECONDITION with the step and the cause: "libx.so
// crashed with SIGSEGV (signal 11) in bento_entry.open; its last output: ..."; UNAVAILABLE when
// cancelled. The child is killed when its time is up or nobody wants to know any more, whatever it
// has done with its descriptors, and dies with the thread that calls this; one that does not die of
// SIGKILL is left behind. `last_step`, if given, is what the child had begun when it ended:
// kProbeAbi, or others in words.
inline constexpr std::string_view kProbeAbi = "its ABI version";
Result<ProbeReport> probe(const PluginFile& file, const ProbeOptions& options,
                          std::string* last_step = nullptr);

}  // namespace bentohost::plugin
