// SupervisorClient: the serving process's side of its supervisor, or, under --no-supervisor, of
// systemd. It tells them that the process is ready and that its event loops turn, and passes what
// the supervisor orders on to the main thread. When the supervisor has gone, the process ends
// within a second, whatever plugins do.
//
// Made before threads are started; its own thread, if it needs one, ends with the process.
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
  // Among the requests: serve on what is open, for another process accepts from now on.
  static constexpr int kHandOver = SIGUSR2;

  // As BENTOHOST_SERVING says, which is taken out of the environment; without, or if it is not for
  // us, there is no supervisor.
  SupervisorClient();
  ~SupervisorClient();
  SupervisorClient(const SupervisorClient&) = delete;
  SupervisorClient& operator=(const SupervisorClient&) = delete;

  bool is_supervisor() const { return control_.fd() >= 0; }
  // Another process serves: nothing is to be accepted before we are ready.
  bool takes_over() const { return orders_.take_over; }
  const RestartCounts& restarts() const { return orders_.restarts; }
  // The supervisor's sockets. INVALID_ARGUMENT if they are not.
  Result<std::vector<http::Listener>> take_listeners();

  // `request` gets a signal's number, or kHandOver, on its own thread. After the signals are
  // blocked.
  void start(std::function<void(int)> request);
  // From now on signs of life are given while all of these turn.
  void watch(const Loops& loops);
  // [main]
  void ready(std::string_view status);
  void stopping();
  // [signal handler] This process is crashing, and may take its time to end.
  static void crashing(int signal);

 private:
  struct Thread;

  Orders orders_;
  Control control_;
  std::vector<int> sockets_;        // that are the supervisor's alone
  std::vector<std::string> files_;  // of Unix sockets
  Duration beat_{};                 // between signs of life; zero: none are wanted
  std::shared_ptr<Thread> thread_;
};

}  // namespace bentohost::supervise
