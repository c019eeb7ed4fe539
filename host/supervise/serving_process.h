// ServingProcess: this program, started again by the supervisor to serve: with the listening
// sockets, one end of a control connection, and a note in its environment of what it is. Owned by
// the supervisor's one thread. (Not Poco::Process: that closes all descriptors.)
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

// How a process is started that serves, and what the supervisor becomes after an upgrade.
struct Program {
  std::string exe;                     // its path: what is there at the time is started
  std::vector<std::string> arguments;  // the first is its name
};

struct ServingProcess {
  pid_t pid = -1;
  Control control;
  TimePoint started{}, ready_at = kNoDeadline;
  TimePoint beat_at{};         // of its last sign of life
  int crashed_by = 0;          // the signal that it is dying of
  bool is_hung = false;        // and has been told so
  bool is_hangup_due = false;  // a SIGHUP came before it was ready

  bool is_ready() const { return ready_at != kNoDeadline; }
  Duration served(TimePoint now) const { return is_ready() ? now - ready_at : Duration::zero(); }
};

// What the serving process is told, in BENTOHOST_SERVING.
struct Orders {
  int supervisor = -1;     // its pid
  int control = -1;        // the descriptor
  bool take_over = false;  // another one serves: accept only when ready
  Duration beat{};         // between signs of life; zero: none are wanted
  RestartCounts restarts;
};
std::string to_text(const Orders& orders);
std::optional<Orders> parse_orders(std::string_view text);

// RESOURCE_EXHAUSTED, or UNAVAILABLE: "cannot start /usr/bin/bentohost: ...". Signals that we block
// are blocked in it, too, until it looks after them; but not SIGCHLD and SIGUSR1, which are of no
// use to it.
Result<ServingProcess> start_serving(const Program& program,
                                     const std::vector<http::Listener>& listeners, Orders orders,
                                     TimePoint now);

// It stands still, by SIGSTOP or in a debugger.
bool is_stopped(pid_t pid);

// As exec takes them.
std::vector<char*> pointers(std::vector<std::string>& texts);
// The environment without what is for the supervisor alone or for another process.
std::vector<std::string> environment_for_children();

}  // namespace bentohost::supervise
