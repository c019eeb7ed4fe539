// Connection: one connection to a server, over a Unix socket, on a loop. Plain bytes; it knows
// nothing of HTTP. [loop] Never half-closes: to uvicorn that means that the client is gone.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/loop/event_loop.h"
#include "base/status.h"
#include "http/net/transport.h"
#include "upstream/server.h"

namespace bentohost::upstream {

class Connection final : private EventLoop::Watcher, private Timer::Owner {
 public:
  class User {
   public:
    // It may be readable or writable, has ended, or its server is dead. May destroy the connection.
    virtual void on_connection(Connection& connection) = 0;
    // The time that expire_at() set has come. May destroy the connection.
    virtual void on_expired(Connection& connection) = 0;
    virtual bool is_tunnel() const { return false; }

   protected:
    ~User() = default;
  };

  // A connection that left one loop and may join another.
  struct Detached {
    std::unique_ptr<http::Transport> transport;
    ConnectionPermit permit;
  };

  // Connects at once or not at all: Unix sockets do not take time. UNAVAILABLE says why not;
  // RESOURCE_EXHAUSTED, that the server's backlog is full: try again later.
  static Result<std::unique_ptr<Connection>> connect(EventLoop& loop, ConnectionPermit permit);
  static Result<std::unique_ptr<Connection>> attach(EventLoop& loop, Detached detached);
  ~Connection();

  Detached detach() &&;

  Server& server() const { return *permit_.server(); }
  const std::shared_ptr<Server>& server_pointer() const { return permit_.server(); }
  void set_user(User& user) { user_ = &user; }
  bool is_tunnel() const { return user_ != nullptr && user_->is_tunnel(); }
  void expire_at(TimePoint when) { timer_.set(when); }  // kNoDeadline: never

  // For one that was idle: whether it still stands, with nothing to read. It asks the kernel,
  // however short a time ago it was used: bytes that a server sends after a response must not
  // become the next one.
  bool is_quiet() const;
  // The peer will send no more, or its end was seen coming: it takes no further request.
  bool has_ended() const { return has_ended_; }
  // The server is dead: what has arrived can be read, and then it counts as ended.
  void lose();

  // There may be bytes to read.
  bool is_readable() const { return is_readable_; }
  // After a broken write: the server may have answered before it closed.
  void expect_bytes() { is_readable_ = true; }
  http::Received read(std::span<char> buffer);
  http::Sent write(std::string_view first, std::string_view second) {
    return transport_->write(first, second);
  }

  // Where the pool finds it among those in use.
  std::size_t place() const { return place_; }
  void set_place(std::size_t place) { place_ = place; }

  // Whether its user is called when a server that took no more bytes takes some again. Not before:
  // a Unix socket would call for each request that the server has read.
  void watch_writing(bool watches);

  // For its user, between the requests too, so that its memory is used again.
  std::string& output() { return output_; }

 private:
  Connection(EventLoop& loop, std::unique_ptr<http::Transport> transport, ConnectionPermit permit);
  Status watch();
  void on_events(std::uint32_t epoll_events) override;
  void on_timer() override;

  EventLoop& loop_;
  std::unique_ptr<http::Transport> transport_;
  ConnectionPermit permit_;
  User* user_ = nullptr;
  Timer timer_;
  std::string output_;
  bool is_readable_ = false;
  bool has_ended_ = false;
  bool watches_writing_ = false;
  std::size_t place_ = 0;
};

}  // namespace bentohost::upstream
