// Signals as values: SIGTERM, SIGINT and SIGHUP have a handler that queues them for the lifecycle
// to wait for; none is blocked or ignored, because programs that plugins start would inherit that
// (base/process/signal_handlers.h). In a supervised process the supervisor handles SIGTERM and
// SIGINT, and its requests take their place: a Ctrl-C, which reaches the whole process group,
// counts once and not twice. Of the signals sent to the process itself, only the first SIGTERM
// begins its end.
#pragma once

#include <csignal>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace bentohost::app {

// Call before any thread starts. SIGPIPE and SIGUSR2 do nothing, and SIGCHLD is not ignored. Throws
// std::system_error when there is no descriptor left.
void take_signals(bool is_supervised);
// Installs the handlers again: plugins may have replaced them by their own while they started.
void retake_signals();
// [any] A request of the supervisor, as the number of a signal.
void request_signal(int number);
// The signal that came, or was requested, within `longest`, or 0. Duration::max() waits for one.
// One thread at a time, and none while an ExitOnSignal lives.
int wait_for_signal(Duration longest);
// A signal that ends the process, unlike SIGHUP.
inline bool is_stop_signal(int number) { return number != 0 && number != SIGHUP; }
// While an ExitOnSignal lives, a stop signal ends the process at once, with exit code 128 + its
// number, so that the host can be stopped while a plugin hangs in its start. With a grace, only a
// second signal does, or the end of the grace, and the first is kept for wait_for_signal():
// requests may be in flight by then, and need their responses. A SIGHUP is kept in any case.
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
// Starts the thread that exit_on_next_signal() needs: at the end no thread may be left to start.
// Call once, after take_signals(). Throws std::system_error.
void prepare_exit();
// From now on a stop signal ends the process at once, with exit code 128 + its number. If it has
// not ended by itself within `at_latest`, it ends with exit code 1.
void exit_on_next_signal(Duration at_latest);

}  // namespace bentohost::app
