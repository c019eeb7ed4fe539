// Upstream: where the requests of one mount go: the app's server processes, and a pool of
// connections to them on each loop. [any] unless said otherwise. The loops must outlive it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "upstream/downstream.h"
#include "upstream/server.h"
#include "upstream/upstream_metrics.h"
#include "upstream/upstream_options.h"

namespace bentohost::upstream {

class ServerSet;

class Upstream {
 public:
  using ServerId = upstream::ServerId;

  explicit Upstream(UpstreamOptions options, UpstreamMetrics metrics = {});
  ~Upstream();
  Upstream(const Upstream&) = delete;
  Upstream& operator=(const Upstream&) = delete;

  // A server process that answers at this address gets requests from now on: the path of a Unix
  // socket, which begins with a slash, or "127.0.0.1:PORT".
  ServerId add(std::string address);
  // No new requests for it. `drained` is called once, on any thread, when its last request has
  // ended, or at once if it has none.
  void retire(ServerId id, std::function<void()> drained);
  // It is dead. What it has sent is still read; then its connections are dropped.
  void remove(ServerId id);
  // Ends the tunnels, or all requests, as if the servers had ended them.
  void end_tunnels();
  void end_requests();
  // While no server takes requests, they are answered 503 with this reason and Retry-After:
  // "the app at /old is not running: it exited with code 1; it starts again in 4 s".
  void set_reason(std::string reason, Duration retry_after);

  // OK while a server takes requests; else UNAVAILABLE with the reason.
  Status availability() const;
  // Requests that it has answered whole; 0 after remove().
  std::uint64_t served(ServerId id) const;
  std::size_t in_flight() const;    // requests, with those that wait
  std::size_t waiting() const;      // requests that wait for a connection
  std::size_t serving() const;      // servers that take requests
  std::size_t connections() const;  // open ones
  const UpstreamOptions& options() const;

  // For this room.
  const std::shared_ptr<ServerSet>& servers() const { return servers_; }

 private:
  const std::shared_ptr<ServerSet> servers_;
};

// [loop] Answers a request: `downstream` is its client's side. Keeps both until the end.
void proxy(std::shared_ptr<Downstream> downstream, std::shared_ptr<Upstream> upstream);

}  // namespace bentohost::upstream
