// Orphans: processes that user code has left behind, and the children of a serving process that
// died: runners, and their children. They become children of the supervisor, which reaps them,
// whether it is the first process of a container or not. (Where the first process is a script that
// reaps nobody, they would stay as zombies; and so all processes of a service are below the one
// that people know.) Orphans are not stopped.
#pragma once

#include <sys/types.h>

#include <functional>

namespace bentohost::supervise {

// From now on orphans below this process become its children, also after an exec.
void take_in_orphans();

// Reaps children that have ended, except those for which `is_ours` is true: the caller still needs
// their exit status. False: there are more to reap; each call reaps a bounded number.
bool reap_orphans(const std::function<bool(pid_t)>& is_ours);

}  // namespace bentohost::supervise
