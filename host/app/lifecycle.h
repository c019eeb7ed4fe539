// The life of the serving process, from its configuration to its exit code. The rooms are wired
// together here, and nowhere else.
#pragma once

#include <string>

#include "app/config.h"
#include "supervise/supervisor_client.h"

namespace bentohost::app {

// Serves until SIGTERM, SIGINT or an order of the supervisor ends it. Returns the exit code: 0; 1
// when it could not start (one line on stderr says why); 78 (EX_CONFIG) when its runners will not
// start, or not within --start-timeout. `exe` is this program's own file. The caller's thread must
// be the only one of the process.
int serve(const Config& config, const std::string& exe, supervise::SupervisorClient& supervisor);

}  // namespace bentohost::app
