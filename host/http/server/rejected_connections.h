// RejectedConnections: connections that are rejected with a response. They are held for a moment,
// unread: a close would send a reset if the client has sent anything meanwhile, and the response
// could be lost. [loop]
#pragma once

#include <cstddef>
#include <deque>
#include <string_view>

#include "base/loop/event_loop.h"
#include "base/unique_fd.h"

namespace bentohost::http {

class RejectedConnections final : private Timer::Owner {
 public:
  // Beyond this many, the oldest is closed: rejected clients must not use up our descriptors.
  static constexpr std::size_t kMost = 64;

  explicit RejectedConnections(EventLoop& loop) : loop_(loop), timer_(loop.timers(), *this) {}

  // Sends as much of the response as one write takes, and no more.
  void say(UniqueFd fd, std::string_view answer);
  // Call it when descriptors have run out.
  void close_all() { held_.clear(); }

 private:
  struct Held {
    UniqueFd fd;
    TimePoint until;
  };
  void on_timer() override;

  EventLoop& loop_;
  Timer timer_;
  std::deque<Held> held_;
};

}  // namespace bentohost::http
