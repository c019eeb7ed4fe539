// The life of the supervisor: opens the sockets, then runs supervise(). See
// supervise/supervisor.h.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"

namespace bentohost::app {

// Runs until the service ends. Returns the exit code: 0, or 1 when it could not start (one line on
// stderr says why). `exe` is the path of this program's file, now and for an upgrade; `arguments`
// are its command line, with its name. The caller's thread must be the only one of the process.
int supervise_service(const Config& config, const std::string& exe,
                      const std::vector<std::string>& arguments);

}  // namespace bentohost::app
