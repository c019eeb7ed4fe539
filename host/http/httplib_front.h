// HttplibFront: cpp-httplib's own server, tuned. It accepts, hands connections to a thread pool,
// and has httplib write responses; of what httplib would read, it is shown a request line of ours
// and nothing that a client sent. Written against 0.11.4; this and its .cc are the only files that
// know cpp-httplib.
#pragma once

#include <httplib.h>

#include <atomic>
#include <functional>
#include <memory>

#include "base/status.h"
#include "http/connection.h"
#include "http/thread_pool.h"

namespace bentohost::http {

class HttplibFront final : private httplib::Server,
                           private ResponseWriter,
                           public std::enable_shared_from_this<HttplibFront> {
 public:
  HttplibFront(ServerOptions options, http::Handler handler, http::Server::Rejected rejected);

  // Accepts on `listener` and serves on `pool` until stop_accepting(); once, from one thread.
  void accept(int listener, ThreadPool& pool);
  void stop_accepting(int listener);
  Connections& connections() { return context_.connections; }

 private:
  class Tasks;

  void take_on(std::function<void()> connection, ThreadPool& pool);
  bool process_and_close_socket(socket_t fd) override;
  bool write(Socket& socket, Outgoing outgoing) override;

  ConnectionContext context_;
  std::atomic<bool> is_stopping_ = false;
};

}  // namespace bentohost::http
