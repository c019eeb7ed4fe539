// LoopConnections: the connections of one event loop. [loop], except for functions that say [any].
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string_view>
#include <unordered_set>

#include "base/loop/event_loop.h"
#include "http/server/connection.h"
#include "http/server/server_state.h"

namespace bentohost::http {

class LoopConnections : public std::enable_shared_from_this<LoopConnections> {
 public:
  static constexpr std::size_t kBufferSize = 64u << 10;

  LoopConnections(std::shared_ptr<EventLoop> loop, std::shared_ptr<ServerState> server)
      : loop_(std::move(loop)), server_(std::move(server)) {}

  // [any] Adds a new connection, which counts as open already.
  void adopt(std::unique_ptr<Transport> transport, Peer peer);
  // [any] Tells each connection that the server's mode has changed.
  void tell_mode();
  // [any] Closes all connections. A handler that is still at work drops its connection later.
  void close_all();

  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  const std::shared_ptr<ServerState>& server() const { return server_; }
  std::array<char, kBufferSize>& buffer() { return buffer_; }
  // `client` and `role` are those under which the connection was counted when it was opened.
  void forget(const std::shared_ptr<Connection>& connection, std::string_view client,
              ListenerRole role);

  // The connection whose bytes lie in buffer(), or null.
  Connection* at_work = nullptr;

 private:
  const std::shared_ptr<EventLoop> loop_;
  const std::shared_ptr<ServerState> server_;
  std::unordered_set<std::shared_ptr<Connection>> connections_;
  std::array<char, kBufferSize> buffer_;
};

}  // namespace bentohost::http
