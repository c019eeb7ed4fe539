// Resume: upgrades the supervisor after it has upgraded the serving process: it executes the new
// program in its own place, which goes on with the same pid, sockets and serving process.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/status.h"
#include "http/net/listener.h"
#include "supervise/restarts.h"
#include "supervise/serving_process.h"

namespace bentohost::supervise {

// The state that the new program goes on with.
struct Resumed {
  pid_t serving = -1;
  int control = -1;  // the descriptor of our end
  RestartCounts restarts;
};

// The value of BENTOHOST_RESUME: "PID SERVING CONTROL RESTARTS"; PID is this process's.
std::string to_text(const Resumed& resumed);
// Takes the variable out of the environment. nullopt if it is not set or for another process.
std::optional<Resumed> take_resumed();

// Returns only if it fails. UNAVAILABLE: "cannot execute /usr/bin/bentohost: ...".
Status execute_again(const Program& program, const std::vector<http::Listener>& listeners,
                     const Resumed& resumed);

}  // namespace bentohost::supervise
