// Server: the HTTP front: its listening sockets, and its connections, dealt out over event loops
// that it shares with others. It gives each request to one Application as an Exchange.
//
// listen() -> serve() -> drain() -> stop(), in this order, from one thread that is not a loop's.
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
  ThreadPool* threads = nullptr;        // inflate what is large; null: the loops do
  MemoryBudget* body_memory = nullptr;  // of the bodies of all requests; null: there is no bound
};

class Server {
 public:
  using Loops = std::vector<std::shared_ptr<EventLoop>>;

  // At least one loop; `application` outlives the server.
  Server(ServerOptions options, Application& application, Loops loops);
  ~Server();

  // What it will accept from: open_listeners()'s, as a rule.
  void listen(std::vector<Listener> listeners);
  std::vector<std::string> urls(ListenerRole role = ListenerRole::kPublic) const;  // after listen()
  void serve();  // the loops run, or will soon
  // Closes the listening sockets: whoever else has them accepts from now on. What is open goes on.
  void stop_accepting();
  std::size_t open_connections() const;

  // From now on each response says Connection: close, and idle connections are closed: at once
  // those that were silent for a second, the others when they have been. New connections are still
  // accepted, so that health probes can see that we are going.
  void drain();
  // Stops accepting, waits until `deadline` for the responses in flight, then aborts what is left.
  // Returns the number of connections aborted. A handler that never answers is left behind.
  std::size_t stop(TimePoint deadline);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bentohost::http
