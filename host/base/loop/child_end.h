// The end of a child process, seen without waiting for it: an event loop must not wait, and a
// process that is stuck in the kernel (a hung file system, a driver) does not die of SIGKILL
// either.
#pragma once

#include <sys/types.h>

#include <optional>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost {

class EventLoop;

// [any] A descriptor that is readable when the child has ended. It is empty where the kernel or a
// sandbox refuses pidfd_open(2), which the log says once: then only reap() and has_ended() tell.
UniqueFd open_pidfd(pid_t child);

// What reap() says of a process that is no child of ours, or no more: others reap, too.
inline constexpr int kNoStatus = -1;
// [any] The status of a child that has ended, as waitpid's; nothing while it has not. Never waits.
std::optional<int> reap(pid_t child);
// [any] The same, without reaping it.
bool has_ended(pid_t child);
// [any, not loop] The same as reap(), waiting for the end until `deadline`. `pidfd` may be absent.
std::optional<int> reap_by(pid_t child, const UniqueFd& pidfd, TimePoint deadline);

// [loop] For a child that was killed and that nobody asks about any more: it is reaped when it has
// ended, whenever that is.
void reap_later(EventLoop& loop, pid_t child, UniqueFd pidfd);

}  // namespace bentohost
