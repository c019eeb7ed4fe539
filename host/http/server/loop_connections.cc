#include "http/server/loop_connections.h"

#include <utility>
#include <vector>

namespace bentohost::http {

void LoopConnections::adopt(std::unique_ptr<Transport> transport, Peer peer) {
  // std::function requires copyable captures, so the transport travels in a shared pointer.
  auto held = std::make_shared<std::unique_ptr<Transport>>(std::move(transport));
  loop_->post([self = shared_from_this(), held, peer = std::move(peer)]() mutable {
    auto connection = std::make_shared<Connection>(self, std::move(*held), std::move(peer));
    self->connections_.insert(connection);
    connection->open();
  });
}

void LoopConnections::tell_mode() {
  loop_->post([self = shared_from_this()] {
    // A copy, because some connections close at once.
    const std::vector<std::shared_ptr<Connection>> all(self->connections_.begin(),
                                                       self->connections_.end());
    for (const auto& connection : all) connection->on_mode();
  });
}

void LoopConnections::close_all() {
  loop_->post([self = shared_from_this()] {
    const std::vector<std::shared_ptr<Connection>> all(self->connections_.begin(),
                                                       self->connections_.end());
    for (const auto& connection : all) connection->close();
  });
}

void LoopConnections::forget(const std::shared_ptr<Connection>& connection, std::string_view client,
                             ListenerRole role) {
  connections_.erase(connection);
  server_->closed(client, role);
}

}  // namespace bentohost::http
