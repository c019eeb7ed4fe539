// Low priority: processes that start beside others which serve use the processor time that those
// leave. The parent lowers and restores the child's priority. The launching thread itself keeps its
// own priority, since it holds process-wide locks meanwhile.
#pragma once

#include <sys/types.h>

#include "base/clock.h"

namespace bentohost {

// For a child that was just started, and all that it will start. They run when nobody else wants to
// (SCHED_IDLE), if that can be undone, which needs root (CAP_SYS_NICE) or an RLIMIT_NICE of 20.
// Otherwise others preempt their time slices (Linux 6.12), and with `for_good` they get less time.
void lower_priority(pid_t child, bool for_good);

// If the child has not finished starting by then, the machine is busy: relax_priority() gives the
// child a share of it, a tenth of what others get.
inline constexpr Duration kLowPriorityTime = std::chrono::milliseconds(150);
void relax_priority(pid_t child);

// Gives the child's threads that still have low priority the calling thread's priority.
void restore_priority(pid_t child);

}  // namespace bentohost
