// ClientConnection: the bytes to and from one server, plain or TLS, on a loop. It knows nothing of
// HTTP. [loop]
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "http/net/transport.h"

namespace bentohost::http {

class ClientConnection final : private EventLoop::Watcher, private Timer::Owner {
 public:
  class User {
   public:
    // It may be readable or writable, or has ended. May destroy the connection.
    virtual void on_connection(ClientConnection& connection) = 0;
    // The time that expire_at() set has come. May destroy the connection.
    virtual void on_expired(ClientConnection& connection) = 0;

   protected:
    ~User() = default;
  };

  // Calls `user` from now on; never from within this call. RESOURCE_EXHAUSTED: no descriptor can be
  // watched.
  static Result<std::unique_ptr<ClientConnection>> watch(EventLoop& loop,
                                                         std::unique_ptr<Transport> transport,
                                                         User& user);
  ~ClientConnection();
  ClientConnection(const ClientConnection&) = delete;
  ClientConnection& operator=(const ClientConnection&) = delete;

  void set_user(User& user) { user_ = &user; }
  void expire_at(TimePoint when) { timer_.set(when); }  // kNoDeadline: never

  // As Transport's.
  Received read(std::span<char> buffer) { return transport_->read(buffer.data(), buffer.size()); }
  Sent write(std::string_view first, std::string_view second) {
    return transport_->write(first, second);
  }
  bool is_established() { return transport_->is_established(); }
  std::string failure() const { return transport_->failure(); }
  int fd() const { return transport_->fd(); }

  // For one that no request uses: whether it still stands, with nothing to read. It asks the
  // kernel: bytes that a server sends behind a response must not become the next one.
  bool is_quiet();
  // It has been there for a while: its server may have closed it when the next request comes.
  bool has_waited = false;

 private:
  ClientConnection(EventLoop& loop, std::unique_ptr<Transport> transport, User& user)
      : loop_(loop),
        transport_(std::move(transport)),
        user_(&user),
        timer_(loop.timers(), static_cast<Timer::Owner&>(*this)) {}
  void on_events(std::uint32_t) override { user_->on_connection(*this); }
  void on_timer() override { user_->on_expired(*this); }

  EventLoop& loop_;
  const std::unique_ptr<Transport> transport_;
  User* user_;
  Timer timer_;
};

}  // namespace bentohost::http
