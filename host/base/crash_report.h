// Crash report: what the log says when SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT is about to end
// this process: the signal, the address, the call into a plugin that the thread was in
// (base/call.h) and a backtrace, a line each, in the log's own format. Then the signal takes its
// course, so that there is a core dump as ever and the parent sees it. Nothing in here allocates or
// locks.
#pragma once

#include <string_view>

#include "base/log.h"

namespace bentohost {

// What else is done, in the signal's handler, by functions that do only what signal-safety(7) says.
// Null: nothing.
struct CrashHooks {
  void (*before_report)() = nullptr;
  void (*after_report)(int signal) = nullptr;  // from here to our end it may take long: a core dump
};

// Once, before threads start. `component` is the log's, and outlives the process.
void install_crash_report(LogFormat format, std::string_view component, CrashHooks hooks);

}  // namespace bentohost
