// What a process does first with its descriptors 0, 1 and 2. A child of the host moves the pipes
// that it was given as stdin and stdout out of the way, so that a plugin that reads or prints
// cannot corrupt the protocol on them.
#pragma once

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost {

// Each of descriptors 0, 1 and 2 that is closed becomes /dev/null: else the next socket would get
// its number, and log lines would go to whoever is at its other end.
void fill_stdio();

struct ChildPipes {
  UniqueFd in, out;
};

// Descriptors 0 and 1 become /dev/null and a copy of stderr, and stdout writes each line as it
// ends; their old selves are returned, close-on-exec.
Result<ChildPipes> take_stdio();

// The process gets SIGKILL when the thread that started it ends, and ends at once if its parent is
// no longer `parent_pid`; signals, which launch() blocked for it, come from now on, and the limit
// of descriptors is the parent's, of which launch() left few. Call before anything else, but for
// what makes signals harmless.
void become_child(int parent_pid);

}  // namespace bentohost
