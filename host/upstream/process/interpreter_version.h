// Asks a Python for its version and logs it: which interpreter an app runs with is the first
// question when a module is not found. On one loop, which does not wait for the answer.
#pragma once

#include <string>

#include "base/loop/event_loop.h"

namespace bentohost::upstream {

// Logs "mount /old (...) runs with /usr/bin/python3 (Python 3.11.2)". Without an answer within a
// few seconds, the path alone.
void log_interpreter(EventLoop& loop, const std::string& title, const std::string& interpreter);

}  // namespace bentohost::upstream
