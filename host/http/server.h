// Server: the HTTP front. It owns the listening socket, the connections and their threads, and
// gives each request to one Handler as an Exchange. cpp-httplib's own server is inside, and nowhere
// else.
//
// bind() -> serve() -> drain() -> stop(), in this order, from one thread; serve() starts threads
// and returns. Handlers run on connection threads, as many at once as there are connections.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "http/message.h"

namespace bentohost::http {

struct ServerOptions {
  std::string host = "127.0.0.1";    // a name or an address of either family
  std::uint16_t port = 3000;         // 0: the system picks one
  std::size_t max_threads = 512;     // one per open connection; further connections wait their turn
  std::size_t max_body = 64u << 20;  // bytes, of a body as sent and when de-chunked: else 413
  Duration idle_timeout = std::chrono::seconds(75);  // of a kept-alive connection between requests
  Duration read_timeout = std::chrono::seconds(30);  // between two bytes within a request: else 408
  Duration write_timeout = std::chrono::seconds(30);
};

class Server {
 public:
  // `handler` answers whole requests. `rejected` is told of each request that the front refused by
  // itself (413, 400, 408, 431): what is known of it, and the response; for the access log and
  // metrics.
  using Rejected = std::function<void(const Request&, const Response&)>;
  Server(ServerOptions options, Handler handler, Rejected rejected);
  ~Server();

  // UNAVAILABLE: "cannot listen on 127.0.0.1:3000: Address already in use; ...". No SO_REUSEPORT.
  Status bind();
  std::uint16_t port() const;  // after bind()
  std::string url() const;     // "http://127.0.0.1:3000"; an IPv6 host in brackets
  void serve();

  // From now on each response says Connection: close, and idle connections are closed: at once
  // those that were silent for a second, the others when they have been. New connections are still
  // accepted, so that health probes can see that we are going.
  void drain();
  // Stops accepting, waits until `deadline` for the responses in flight, then cuts what is left.
  // Returns the number of connections cut. A thread whose handler never returns is left behind (0
  // or more).
  std::size_t stop(TimePoint deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bentohost::http
