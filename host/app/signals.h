// Signals as values: SIGTERM, SIGINT and SIGHUP have a handler that writes them down, and are taken
// where the lifecycle waits; none is blocked or ignored, for programs that plugins start would
// inherit that (base/signal_handlers.h). In a supervised process SIGTERM and SIGINT are the
// supervisor's to understand, whose requests are taken in their place: a Ctrl-C, which reaches the
// whole group of processes, is one and not two. Of those sent to the process itself a SIGTERM
// begins its end, and no more.
#pragma once

#include <csignal>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost::app {

// Before any thread starts. SIGPIPE and SIGUSR2 do nothing, and SIGCHLD is not ignored. Throws
// std::system_error when there is no descriptor left.
void take_signals(bool is_supervised);
// Again: plugins may have handlers of their own when they have started, for signals that are ours.
void retake_signals();
// [any] What the supervisor wants, as the number of a signal.
void request_signal(int number);
// The signal that came, or was requested, within `longest`, or 0. Duration::max() waits for one.
// One thread at a time, and none while an ExitOnSignal lives.
int wait_for_signal(Duration longest);
// One of those that mean the end, SIGHUP aside.
inline bool is_stop_signal(int number) { return number != 0 && number != SIGHUP; }
// While one lives, a signal ends the process at once, with exit code 128 + its number, so that a
// plugin that hangs in the middle of the start does not make the host deaf. With a grace, only a
// second signal does, or the end of the grace, and the first is kept for wait_for_signal():
// requests may be in flight by then, and are owed their replies. A SIGHUP is kept in any case.
class ExitOnSignal {
 public:
  explicit ExitOnSignal(Duration grace = Duration::zero());
  ~ExitOnSignal();
  ExitOnSignal(const ExitOnSignal&) = delete;
  ExitOnSignal& operator=(const ExitOnSignal&) = delete;

 private:
  UniqueFd over_;
  std::thread watcher_;
};
// Starts the thread that exit_on_next_signal() needs, for at the end there may be none to be had.
// After block_signals(), once. Throws std::system_error.
void prepare_exit();
// From now on a signal ends the process at once, with exit code 128 + its number; and so does the
// time, with exit code 1, when it has not ended by itself within `at_latest`.
void exit_on_next_signal(Duration at_latest);

}  // namespace bentohost::app
