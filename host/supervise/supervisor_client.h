// SupervisorClient: the serving process's link to its supervisor or, under --no-supervisor, to
// systemd. It reports that the process is ready and that its event loops turn, and passes the
// supervisor's orders on to the main thread. When the supervisor has gone, the process ends within
// a second, whatever plugins do.
//
// Create it before threads are started; its own thread, if it needs one, ends with the process.
#pragma once

#include <csignal>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/status.h"
#include "http/net/listener.h"
#include "supervise/control.h"
#include "supervise/restarts.h"
#include "supervise/serving_process.h"

namespace bentohost::supervise {

class SupervisorClient {
 public:
  using Loops = std::vector<std::shared_ptr<EventLoop>>;
  // A value for `request`: serve the open connections; another process accepts from now on.
  static constexpr int kHandOver = SIGUSR2;

  // Reads BENTOHOST_SERVING and takes it out of the environment. If it is not set, or not for this
  // process, there is no supervisor.
  SupervisorClient();
  ~SupervisorClient();
  SupervisorClient(const SupervisorClient&) = delete;
  SupervisorClient& operator=(const SupervisorClient&) = delete;

  bool is_supervisor() const { return control_.fd() >= 0; }
  // Another process serves: do not accept before this one is ready.
  bool takes_over() const { return orders_.take_over; }
  const RestartCounts& restarts() const { return orders_.restarts; }
  // The supervisor's sockets. INVALID_ARGUMENT if one of them is not a listening socket.
  Result<std::vector<http::Listener>> take_listeners();

  // Calls `request` with a signal's number, or kHandOver, on the client's own thread. Call this
  // when the process handles signals.
  void start(std::function<void(int)> request);
  // From now on signs of life are sent while all of these loops turn.
  void watch(const Loops& loops);
  // [main]
  void ready(std::string_view status);
  void stopping();
  // [signal handler] Reports that this process is crashing; its end may take a while.
  static void crashing(int signal);

 private:
  struct Thread;

  Orders orders_;
  Control control_;
  std::vector<int> sockets_;        // opened by the supervisor, not by systemd
  std::vector<std::string> files_;  // of Unix sockets
  Duration beat_{};                 // between signs of life; zero: none are wanted
  std::shared_ptr<Thread> thread_;
};

}  // namespace bentohost::supervise
