// Connection: one client's requests, in order, each given to the handler and answered, until either
// side ends it. It lives on one thread; respond() may come from another, and so may the
// Interruptible calls.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>

#include "http/connections.h"
#include "http/message.h"
#include "http/request_reader.h"
#include "http/server.h"
#include "http/socket.h"

namespace bentohost::http {

// A response and what the connection adds to it.
struct Outgoing {
  Response response;
  bool omit_body = false;   // HEAD
  bool close = false;       // say Connection: close
  bool keep_alive = false;  // say Connection: keep-alive: HTTP/1.0
};

// Puts a response on the wire. Any thread.
class ResponseWriter {
 public:
  virtual bool write(Socket& socket, Outgoing outgoing) = 0;

 protected:
  ~ResponseWriter() = default;
};

// What the connections of a server have in common; outlives them.
struct ConnectionContext {
  const ServerOptions options;
  const Handler handler;
  const Server::Rejected rejected;
  Connections connections = Connections(options.max_threads);
};

class Connection final : private Exchange, private Interruptible {
 public:
  Connection(UniqueFd fd, ConnectionContext& context, ResponseWriter& writer);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  // Returns when the connection is over.
  void serve();

 private:
  const Request& request() const override { return request_; }
  void respond(Response response) override;
  void end_idle_wait() override;
  void cut() override { socket_.cut(); }

  bool await_request();
  bool may_wait() const;
  bool answer();
  void refuse(const Status& refusal);
  Response take_response();
  void linger();

  ConnectionContext& context_;
  ResponseWriter& writer_;
  Socket socket_;
  RequestReader reader_;
  Request request_;
  Framing framing_;
  bool has_answered_ = false;                        // a request before this one
  std::atomic<TimePoint> idle_since_ = kNoDeadline;  // kNoDeadline: at work

  std::mutex mutex_;
  std::condition_variable responded_;
  bool has_response_ = false;
  Response response_;
};

}  // namespace bentohost::http
