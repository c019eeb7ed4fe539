// RejectedConnections: connections that are turned away with an answer. They are held for a moment,
// unread, so that the answer is not lost to the reset that a close sends when the client has said
// something meanwhile. [loop]
#pragma once

#include <cstddef>
#include <deque>
#include <string_view>

#include "base/loop/event_loop.h"
#include "base/unique_fd.h"

namespace bentohost::http {

class RejectedConnections final : private Timer::Owner {
 public:
  // Beyond, the oldest one is closed: strangers must not have our descriptors.
  static constexpr std::size_t kMost = 64;

  explicit RejectedConnections(EventLoop& loop) : loop_(loop), timer_(loop.timers(), *this) {}

  // Sends what fits into one write, and no more.
  void say(UniqueFd fd, std::string_view answer);
  // Descriptors have run out.
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
