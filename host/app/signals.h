// Signals as values: SIGTERM and SIGINT are blocked in all threads and taken where the lifecycle
// waits.
#pragma once

#include "base/clock.h"

namespace bentohost::app {

// Before any thread starts: blocks SIGTERM and SIGINT, ignores SIGPIPE.
void block_signals();
// The signal that came within `longest`, or 0. Duration::max() waits for one.
int wait_for_signal(Duration longest);
// From now on a signal ends the process at once, with exit code 128 + its number.
void exit_on_next_signal();

}  // namespace bentohost::app
