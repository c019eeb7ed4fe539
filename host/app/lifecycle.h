// The life of the serving process, from its configuration to its exit code. Here, and only here,
// the rooms are wired together.
#pragma once

#include <string>

#include "app/config.h"
#include "supervise/supervisor_client.h"

namespace bentohost::app {

// Serves until SIGTERM or SIGINT, or until the supervisor wants it to end; returns the exit code:
// 0, or 1 when it could not start (one line on stderr says why), 78 (EX_CONFIG) when its runners
// will not, or not within --start-timeout. `exe` is this program's own file. The caller's thread
// must be the process's only one.
int serve(const Config& config, const std::string& exe, supervise::SupervisorClient& supervisor);

}  // namespace bentohost::app
