// The probe: a plugin is loaded and described in a child process first, so that one that crashes,
// throws or hangs while it loads takes only the child with it, and so that its options are checked
// before any of its code runs here.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::plugin {

struct ProbeReport {
  std::string service, version, options_schema;
  std::vector<std::string> routes, runners;
};

// The child's side: `bentohost probe PATH`, which is absolute. Loads, opens, describes, writes the
// report to stdout as JSON lines, one for each step begun, the last one the report or the error;
// returns the exit code. The plugin's options are not known yet: it opens without any.
int run_probe(const std::string& path, int parent_pid, const std::string& host_version);

// The host's side: runs `exe probe path`. FAILED_PRECONDITION with the step and the cause: "libx.so
// crashed with SIGSEGV (signal 11) in bento_entry.open; its last output: ...". The child is gone
// when this returns.
Result<ProbeReport> probe(const std::string& exe, const std::string& path, Duration time_limit);

}  // namespace bentohost::plugin
