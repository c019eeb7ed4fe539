// ServerState: what the connections of a RunnerServer share. Any thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "service/routing/routing_snapshot.h"

namespace bentohost::runner_rpc {

class Connection;

struct ServerOptions {
  // The services of now: called for each call, on any loop.
  std::function<service::RoutingSnapshotPtr()> routes;
  std::string host_version;
  Duration timeout = std::chrono::seconds(60);        // longest time that a call may take
  Duration hello_timeout = std::chrono::seconds(10);  // from connecting to the hello
  std::size_t max_frame = 64u << 20;                  // bytes of a frame from a client
  std::size_t max_connections = 1024;  // over sockets of the operator's, and as many of apps
  // Of one connection. When there are as many, nothing is read from it until some have ended.
  std::size_t max_calls = 1024;
  std::size_t max_input_bytes = 256u << 20;  // of these calls
  std::size_t max_output_bytes = 4u << 20;   // results that the client has not read yet
};

class ServerState {
 public:
  explicit ServerState(ServerOptions given) : options(std::move(given)) {}

  const ServerOptions options;
  std::atomic<std::size_t> calls = 0;        // in flight
  std::atomic<bool> refuses_guests = false;  // clients of a socket that operators named
  std::atomic<bool> refuses_all = false;

  // False, and nothing is done, when max_connections of its kind are there: guests must not keep
  // the host's own apps out.
  bool add(std::shared_ptr<Connection> connection, bool is_guest) {
    const MutexLock lock(mutex_);
    std::size_t& count = is_guest ? guests_ : apps_;
    if (count >= options.max_connections) return false;
    ++count;
    connections_.insert(std::move(connection));
    return true;
  }
  void remove(const std::shared_ptr<Connection>& connection, bool is_guest) {
    const MutexLock lock(mutex_);
    if (connections_.erase(connection) != 0) --(is_guest ? guests_ : apps_);
  }
  std::vector<std::shared_ptr<Connection>> connections() const {
    const MutexLock lock(mutex_);
    return {connections_.begin(), connections_.end()};
  }

 private:
  mutable Mutex mutex_;
  std::set<std::shared_ptr<Connection>> connections_ BENTO_GUARDED_BY(mutex_);
  std::size_t guests_ BENTO_GUARDED_BY(mutex_) = 0;
  std::size_t apps_ BENTO_GUARDED_BY(mutex_) = 0;
};

}  // namespace bentohost::runner_rpc
