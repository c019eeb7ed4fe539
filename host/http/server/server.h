// Server: the HTTP server: its listening sockets, and its connections, dealt out over event loops
// that it shares with others. It gives each request to one Application as an Exchange.
//
// listen() -> serve() -> drain() -> stop(), in this order, from one thread, not a loop's.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/loop/thread_pool.h"
#include "base/memory_budget.h"
#include "base/status.h"
#include "http/message.h"
#include "http/net/listener.h"
#include "http/net/tls_context.h"
#include "http/parse/forwarded.h"
#include "http/server/limits.h"

namespace bentohost::http {

struct ServerOptions {
  std::shared_ptr<TlsContext> tls;  // of the public TCP sockets; null: none
  TrustedProxies proxies;
  Limits limits;
  ThreadPool* threads = nullptr;        // inflate large bodies; null: the loops do
  MemoryBudget* body_memory = nullptr;  // for the bodies of all requests; null: no limit
};

class Server {
 public:
  using Loops = std::vector<std::shared_ptr<EventLoop>>;

  // Needs at least one loop; `application` must outlive the server.
  Server(ServerOptions options, Application& application, Loops loops);
  ~Server();

  // The listeners to accept from; usually the result of open_listeners().
  void listen(std::vector<Listener> listeners);
  std::vector<std::string> urls(ListenerRole role = ListenerRole::kPublic) const;  // after listen()
  void serve();  // the loops run, or will soon
  // Closes the listening sockets: processes that share them accept from now on. Connections stay.
  void stop_accepting();
  std::size_t open_connections() const;

  // From now on each response says Connection: close, and connections are closed once they have
  // been idle for a second. New connections are still accepted, so that health probes can see that
  // the server is going away.
  void drain();
  // Stops accepting, waits until `deadline` for the responses in flight, then aborts the others.
  // Returns the number of connections aborted. A handler that never answers is left behind.
  std::size_t stop(TimePoint deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bentohost::http
