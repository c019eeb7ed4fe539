// low priority: processes that start beside others which serve use what those leave of the
// processor. It is the parent that makes a child so and that takes it back; the thread which starts
// the child is not of low priority itself, for it holds locks of the whole process meanwhile.
#pragma once

#include <sys/types.h>

#include "base/clock.h"

namespace bentohost {

// A child that was started just now, and all that it will start, run when nobody else wants to
// (SCHED_IDLE), if that can be taken back, which needs root (CAP_SYS_NICE) or an RLIMIT_NICE of 20.
// Otherwise they take turns that others need not wait for the end of (Linux 6.12), and, if they are
// so `for_good`, get less.
void lower_priority(pid_t child, bool for_good);

// After so long without an end of its start: the machine is busy, and it gets a share of it, a
// tenth of that of others.
inline constexpr Duration kLowPriorityTime = std::chrono::milliseconds(150);
void relax_priority(pid_t child);

// Those of its threads that are so still become as this one is.
void restore_priority(pid_t child);

}  // namespace bentohost
