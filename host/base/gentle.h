// Processes that start or end beside others which serve: they are to use what those leave of the
// processor.
#pragma once

#include <sys/types.h>

namespace bentohost {

// A child, and all that it will start, come after others: those who serve do not wait for it
// (Linux 6.12), and it gets less. The latter, unless it is `for_good`, only if it can be taken
// back, which needs root (CAP_SYS_NICE) or an RLIMIT_NICE of 20. It is not the thread that starts
// it which is gentle, from before its first instruction on: that one holds locks of the whole
// process meanwhile, and others would wait for it.
void make_gentle(pid_t child, bool for_good);

// In such a process: all of its threads become as its parent is.
void end_gentleness();

}  // namespace bentohost
