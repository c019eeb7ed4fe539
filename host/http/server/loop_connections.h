// LoopConnections: the connections of one event loop. [loop], but for adopt() and the functions
// that post.
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

  // [any] Takes a new connection on. It counts as open already.
  void adopt(std::unique_ptr<Transport> transport, Peer peer);
  // [any] Has each connection look at the front's mode.
  void tell_mode();
  // [any] Closes all connections; those whose handler is at work are forgotten by it later.
  void close_all();

  const std::shared_ptr<EventLoop>& loop() const { return loop_; }
  const std::shared_ptr<ServerState>& server() const { return server_; }
  std::array<char, kBufferSize>& buffer() { return buffer_; }
  // `client` and `door` are what it was counted as when it was opened.
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
