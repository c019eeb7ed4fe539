// Acceptor: accepts the clients at one listening socket and deals them out to the loops in turn.
// Lives on the first loop. Created by std::make_shared().
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "runner_rpc/listening_socket.h"
#include "runner_rpc/server_state.h"

namespace bentohost::runner_rpc {

class Acceptor final : public std::enable_shared_from_this<Acceptor>, private Timer::Owner {
 public:
  using Loops = std::vector<std::shared_ptr<EventLoop>>;
  // `token` and `is_guest`: as Connection's.
  Acceptor(std::shared_ptr<ServerState> server, Loops loops, ListeningSocket socket,
           std::string token, bool is_guest);

  void start();  // [loop]
  void stop();   // [loop]

 private:
  void on_timer() override { start(); }
  void accept();
  void pause();

  const std::shared_ptr<ServerState> server_;
  const Loops loops_;
  const ListeningSocket socket_;
  const std::string token_;
  const bool is_guest_;
  std::size_t next_ = 0;
  TimePoint warned_at_{};
  Timer resume_;
};

}  // namespace bentohost::runner_rpc
