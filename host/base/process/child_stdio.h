// First steps of a process with its descriptors 0, 1 and 2. A child of the host moves the pipes on
// its stdin and stdout out of the way, so that a plugin that reads or prints cannot corrupt the
// protocol on them.
#pragma once

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost {

// Opens /dev/null as each of descriptors 0, 1 and 2 that is closed: else the next socket would get
// that number, and log lines would go to its peer.
void fill_stdio();

struct ChildPipes {
  UniqueFd in, out;
  UniqueFd socket;  // if the parent gave one: see take_stdio()
};

// Descriptor 0 becomes /dev/null, 1 a copy of stderr, and stdout is line-buffered. Returns the
// pipes that they were, close-on-exec. A parent that needs a socket beside the pipes makes it the
// child's stdin, and sends the pipe that is to be read as the first descriptor over it.
Result<ChildPipes> take_stdio();

// The process will get SIGKILL when the thread that started it ends, and ends at once if its parent
// is no longer `parent_pid`. Unblocks signals, which launch() blocked, and restores the parent's
// limit of descriptors, which launch() lowered. Call it first, right after making signals harmless.
void become_child(int parent_pid);

}  // namespace bentohost
