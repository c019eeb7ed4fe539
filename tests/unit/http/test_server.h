// TestServer: a Server on a free loopback port, and what it refused.
#pragma once

#include <gtest/gtest.h>

#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/server.h"

namespace bentohost::http {

// "POST /a?b=1 hello": what the handler was given.
inline void echo(Exchange& exchange) {
  const Request& request = exchange.request();
  exchange.respond(Response::text(200, request.method + " " + request.target + " " + request.body));
}

class TestServer {
 public:
  struct Refused {
    std::string method, path;
    int status;
    bool operator==(const Refused&) const = default;
  };

  explicit TestServer(Handler handler = echo, ServerOptions options = {})
      : server_(on_a_free_port(std::move(options)), std::move(handler),
                [this](const Request& request, const Response& response) {
                  const std::lock_guard lock(mutex_);
                  refused_.push_back({request.method, request.path, response.status});
                }) {
    const Status status = server_.bind();
    EXPECT_TRUE(status.ok()) << status.message();
    server_.serve();
  }

  Server& operator*() { return server_; }
  Server* operator->() { return &server_; }
  std::uint16_t port() const { return server_.port(); }
  std::vector<Refused> refused() {
    const std::lock_guard lock(mutex_);
    return refused_;
  }

 private:
  static ServerOptions on_a_free_port(ServerOptions options) {
    options.port = 0;
    return options;
  }

  std::mutex mutex_;
  std::vector<Refused> refused_;
  Server server_;  // last: its threads use the others
};

inline TimePoint in_ten_seconds() { return SteadyClock().now() + std::chrono::seconds(10); }

}  // namespace bentohost::http
