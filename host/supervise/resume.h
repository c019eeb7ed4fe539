// Resume: how a supervisor that has upgraded the serving process is upgraded itself: it executes
// the program in its own place, and goes on there with the same pid, sockets and serving process.
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

// What it goes on with.
struct Resumed {
  pid_t serving = -1;
  int control = -1;  // the descriptor of our end
  RestartCounts restarts;
};

// In BENTOHOST_RESUME: "PID SERVING CONTROL RESTARTS", PID being this process's.
std::string to_text(const Resumed& resumed);
// None if there is none for this process. Taken out of the environment.
std::optional<Resumed> take_resumed();

// Returns only if it fails. UNAVAILABLE: "cannot execute /usr/bin/bentohost: ...".
Status execute_again(const Program& program, const std::vector<http::Listener>& listeners,
                     const Resumed& resumed);

}  // namespace bentohost::supervise
