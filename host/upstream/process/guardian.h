// The guardian: a small process between the host and a mounted app, so that nothing of the app
// outlives the host, whatever kills which process. It starts the app in a process group of its own
// and takes in what the app's processes leave behind (as a subreaper, so setsid(2) does not escape
// it); no signal but SIGKILL ends it. When the app's first process ends, or the host asks, or the
// host is gone, it ends the group (SIGTERM, after the grace time SIGKILL) and then whatever else is
// below it, and ends when nothing is left. If the guardian itself is killed, the app's first
// process gets SIGKILL; the rest is for the host to find (see guarded_process.h).
//
// Its stdin brings a StartMessage and then commands of one byte; its end means that the host is
// gone. Its stdout carries lines to the host. Its stderr is the app's stdout and stderr.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string_view>

#include "base/clock.h"

namespace bentohost::upstream {

// Commands.
inline constexpr char kStopCommand = 'T';  // SIGTERM now, SIGKILL after the grace time
inline constexpr char kKillCommand = 'K';  // SIGKILL now

// Lines: "started PID", "failed TEXT" (the app could not be executed), "ended STATUS" (of
// waitpid(2), for the app's first process), and last, when nothing is left of it, "gone".
inline constexpr std::string_view kStartedLine = "started ", kFailedLine = "failed ",
                                  kEndedLine = "ended ", kGoneLine = "gone";

// Instead of the grace time, for what is left after the host has gone or the app's first process
// has ended without being asked.
inline constexpr Duration kShortGrace = std::chrono::milliseconds(400);

// `bentohost guardian HOST`: returns the exit code. `host` is the parent's pid.
int run_guardian(pid_t host);

}  // namespace bentohost::upstream
