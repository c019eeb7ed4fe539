// The life of the supervisor: what it opens before it starts the process that serves. See
// supervise/supervisor.h.
#pragma once

#include <string>
#include <vector>

#include "app/config.h"

namespace bentohost::app {

// Until the service ends; returns the exit code: 0, or 1 when it could not start (one line on
// stderr says why). `exe` is where this program's file is found, now and for an upgrade;
// `arguments` its command line, with its name. The caller's thread must be the process's only one.
int supervise_service(const Config& config, const std::string& exe,
                      const std::vector<std::string>& arguments);

}  // namespace bentohost::app
