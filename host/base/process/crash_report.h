// Crash report: what the log says when SIGSEGV, SIGBUS, SIGFPE, SIGILL or SIGABRT is about to end
// this process, or exit() in code of a plugin's (base/exits.h): the signal, the address, the call
// into a plugin that the thread was in (base/plugin_call_note.h) and a backtrace, a line each, in
// the log's own format. Then the signal has its usual effect: a core dump, and an exit status that
// the parent sees. Nothing in here allocates or locks.
#pragma once

#include <sys/types.h>

#include <string_view>

#include "base/log.h"

namespace bentohost {

// What else is done, in the signal's handler, by functions that do only what signal-safety(7) says.
// Null: nothing.
struct CrashHooks {
  void (*before_report)() = nullptr;
  // The call has been named; the functions follow, which takes some milliseconds. Not for an exit.
  void (*before_backtrace)(int signal) = nullptr;
  void (*after_report)() = nullptr;  // from here to our end it may take long: a core dump
  // An exit of a plugin's ends the process at once, for others depend on it: no destructor and no
  // atexit handler runs. Else it takes its course.
  bool is_exit_a_crash = false;
};

// Once, before threads start. `component` is the log's, and outlives the process.
void install_crash_report(LogFormat format, std::string_view component, CrashHooks hooks);

// [any] The report, and the end by SIGABRT, of a process in which this thread hangs.
void end_for_hanging(pid_t thread);

}  // namespace bentohost
