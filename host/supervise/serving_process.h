// ServingProcess: this program, started again by the supervisor to serve, with the listening
// sockets, one end of a control connection, and its orders in the environment. Owned by the
// supervisor's only thread. (Not Poco::Process, which closes all descriptors.)
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "http/net/listener.h"
#include "supervise/control.h"
#include "supervise/restarts.h"

namespace bentohost::supervise {

// The program of a serving process; after an upgrade the supervisor executes it, too.
struct Program {
  std::string exe;                     // its path: the file there at that time is started
  std::vector<std::string> arguments;  // the first is its name
};

struct ServingProcess {
  pid_t pid = -1;
  Control control;
  TimePoint started{}, ready_at = kNoDeadline;
  TimePoint beat_at{};         // when its last sign of life came
  int crashed_by = 0;          // the signal that it is dying of
  bool is_hung = false;        // and has been sent "hang"
  bool is_hangup_due = false;  // a SIGHUP came before it was ready

  bool is_ready() const { return ready_at != kNoDeadline; }
  Duration served(TimePoint now) const { return is_ready() ? now - ready_at : Duration::zero(); }
};

// The supervisor's orders to the serving process, in BENTOHOST_SERVING.
struct Orders {
  int supervisor = -1;     // its pid
  int control = -1;        // the descriptor
  bool take_over = false;  // another process serves: accept only when ready
  Duration beat{};         // between signs of life; zero: none are wanted
  RestartCounts restarts;
};
std::string to_text(const Orders& orders);
std::optional<Orders> parse_orders(std::string_view text);

// RESOURCE_EXHAUSTED, or UNAVAILABLE: "cannot start /usr/bin/bentohost: ...". Signals that we block
// stay blocked in the new process until it handles them, except SIGCHLD and SIGUSR1, which it does
// not use.
Result<ServingProcess> start_serving(const Program& program,
                                     const std::vector<http::Listener>& listeners, Orders orders,
                                     TimePoint now);

// The process is stopped, by SIGSTOP or a debugger.
bool is_stopped(pid_t pid);

// The texts as exec takes them.
std::vector<char*> pointers(std::vector<std::string>& texts);
// The environment without the variables that are only for the supervisor or for another process.
std::vector<std::string> environment_for_children();

}  // namespace bentohost::supervise
