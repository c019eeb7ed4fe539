// FallbackServer: answers while there is no serving process: each request with 503 and Retry-After,
// on copies of the listening sockets, until it is destroyed; the sockets are then as before. It has
// a thread of its own, an event loop's, so no process is started while it lives.
#pragma once

#include <memory>
#include <vector>

#include "http/net/listener.h"
#include "http/server/server.h"

namespace bentohost::supervise {

class FallbackServer {
 public:
  FallbackServer(http::ServerOptions options, const std::vector<http::Listener>& listeners);
  ~FallbackServer();

 private:
  class Answers;
  std::unique_ptr<Answers> answers_;
  std::shared_ptr<EventLoop> loop_;
  std::unique_ptr<http::Server> server_;
};

}  // namespace bentohost::supervise
