// Server: one process of an app, as all loops share it: where it listens, and what is counted of
// it. Any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace bentohost::upstream {

using ServerId = std::uint64_t;

struct Server {
  Server(ServerId its_id, std::string its_address) : id(its_id), address(std::move(its_address)) {}

  const ServerId id;
  const std::string address;
  std::atomic<bool> takes_requests = true;     // until it is retired or removed
  std::atomic<bool> is_dead = false;           // removed
  std::atomic<std::uint32_t> requests = 0;     // that have a connection to it
  std::atomic<std::uint32_t> connections = 0;  // open ones, of all loops
  std::atomic<std::uint32_t> idle = 0;         // those of them that wait for a request
  std::atomic<std::uint64_t> served = 0;       // responses that were complete
};

// The right to one of a server's connections: counted from its making to its end.
class ConnectionPermit {
 public:
  // Empty if the server has `limit` connections.
  static ConnectionPermit take(std::shared_ptr<Server> server, std::uint32_t limit) {
    ConnectionPermit permit;
    if (server->connections.fetch_add(1) < limit) {
      permit.server_ = std::move(server);
    } else {
      server->connections.fetch_sub(1);
    }
    return permit;
  }

  ConnectionPermit() = default;
  ConnectionPermit(ConnectionPermit&&) = default;
  ConnectionPermit& operator=(ConnectionPermit&& other) noexcept {
    std::swap(server_, other.server_);
    return *this;
  }
  ~ConnectionPermit() {
    if (server_ != nullptr) server_->connections.fetch_sub(1);
  }

  explicit operator bool() const { return server_ != nullptr; }
  const std::shared_ptr<Server>& server() const { return server_; }

 private:
  std::shared_ptr<Server> server_;
};

}  // namespace bentohost::upstream
