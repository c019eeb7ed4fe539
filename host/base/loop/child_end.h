// Notices the end of a child process without waiting for it: an event loop must not wait, and a
// process that is stuck in the kernel (a hung file system, a driver) survives even SIGKILL.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost {

class EventLoop;

// [any] A descriptor that becomes readable when the child ends. Empty if the kernel or a sandbox
// refuses pidfd_open(2), which the log says once: then call reap() or has_ended().
UniqueFd open_pidfd(pid_t child);

// Returned by reap() for a process that is not, or no longer, our child: other code reaps, too.
inline constexpr int kNoStatus = -1;
// [any] The waitpid() status of a child that has ended, nothing while the child runs. Never waits.
std::optional<int> reap(pid_t child);
// [any] Whether the child has ended; it is not reaped.
bool has_ended(pid_t child);
// [any, not loop] Like reap(), but waits for the end until `deadline`. `pidfd` may be absent.
std::optional<int> reap_by(pid_t child, const UniqueFd& pidfd, TimePoint deadline);

// [loop] For a killed child that nobody asks about any more: reaps it when it has ended, whenever
// that is.
void reap_later(EventLoop& loop, pid_t child, UniqueFd pidfd);

}  // namespace bentohost
