// Orphans: processes that user code has left behind, and what is left of a serving process that
// died: runners, and theirs. They become children of the supervisor, be it the first process of a
// container or not, and are reaped by it. (Where the first process is a script that reaps nobody,
// they would stay as zombies; and so a service has all of its processes below the one that people
// know.) What they do until they end is their own affair.
#pragma once

#include <sys/types.h>

#include <functional>

namespace bentohost::supervise {

// From now on orphans below this process are its children. It stays so across an exec.
void take_in_orphans();

// Reaps children that have ended, but for those that `is_ours` says: how these ended is still to be
// asked for. False: there are more, for it does not go on without an end.
bool reap_orphans(const std::function<bool(pid_t)>& is_ours);

}  // namespace bentohost::supervise
