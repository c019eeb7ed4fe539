// HandlerEvents: what a handler that answers on the connection's loop is to be told (StreamEvents).
// The handler is told from a posted function, never from within a call of the connection or of the
// exchange: a call of the handler may be going on. One thread: the loop.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "base/loop/event_loop.h"
#include "http/message.h"

namespace bentohost::http {

class HandlerEvents {
 public:
  enum Event : std::uint8_t { kBodyCame = 1, kRoomCame = 2, kCancelled = 4 };

  explicit HandlerEvents(EventLoop& loop) : loop_(loop) {}

  // Whether the present handler answers on the loop: from begin() to end().
  bool has_handler() const { return handler_ != nullptr; }
  void begin(std::shared_ptr<StreamEvents> handler) {
    untold_ = 0;
    handler_ = std::move(handler);
  }
  void end() { handler_.reset(); }

  // There must be a handler. `owner` keeps this object until the handler has been told.
  void tell(Event event, std::shared_ptr<const void> owner) {
    if (untold_ == 0) loop_.post([this, owner = std::move(owner)] { tell_now(); });
    untold_ |= event;
  }

 private:
  void tell_now() {
    const std::shared_ptr<StreamEvents> whom = handler_;
    const std::uint8_t events = std::exchange(untold_, 0);
    if (whom == nullptr) return;
    // Each call may complete the response, and so be the last.
    if ((events & kCancelled) != 0) whom->on_cancelled();
    if ((events & kBodyCame) != 0 && handler_ == whom) whom->on_body();
    if ((events & kRoomCame) != 0 && handler_ == whom) whom->on_room();
  }

  EventLoop& loop_;
  std::shared_ptr<StreamEvents> handler_;
  std::uint8_t untold_ = 0;
};

}  // namespace bentohost::http
