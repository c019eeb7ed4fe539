// Crash report: the log's last lines when SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT, or an exit()
// in a plugin's code (base/process/exits.h), ends this process: the signal, the address, the call
// into a plugin that the thread was in (base/process/plugin_call_note.h) and a backtrace, one line
// each, in the log's own format. Then the signal has its usual effect: a core dump, and an exit
// status for the parent. Nothing in here allocates or locks.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/log.h"

namespace bentohost {

// Functions to call from the signal handler as well; they must be async-signal-safe
// (signal-safety(7)). Null: none.
struct CrashHooks {
  void (*before_report)() = nullptr;
  // The call has been logged; the backtrace follows and takes some milliseconds. Not for an exit.
  void (*before_backtrace)(int signal) = nullptr;
  void (*after_report)() = nullptr;  // the process may now take long to end: a core dump
  // True: a plugin's exit ends the process at once, since others depend on it: no destructor and no
  // atexit handler runs. False: the exit takes its usual course.
  bool is_exit_a_crash = false;
};

// Call once, before threads start. `component` is the log's, and must live as long as the process.
void install_crash_report(LogFormat format, std::string_view component, CrashHooks hooks);

// [any] Reports that `thread` hangs, and ends the process with SIGABRT.
void end_for_hanging(pid_t thread);

}  // namespace bentohost
