// TestServer: a Server on a free loopback port with an event loop or two of its own; it records
// refusals.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "http/problem.h"
#include "http/server/server.h"

namespace bentohost::http {

using Handler = std::function<void(Exchange&)>;
using Planner = std::function<BodyPlan(const Request&)>;

// "POST /a?b=1 hello": the request that the handler got.
inline void echo(Exchange& exchange) {
  const Request& request = exchange.request();
  exchange.respond(Response::text(200, request.method + " " + request.target + " " + request.body));
}

class TestServer final : private Application {
 public:
  struct Refused {
    std::string method, path;
    int status;
    bool operator==(const Refused&) const = default;
  };

  explicit TestServer(Handler handler = echo, Limits limits = {}, BodyPlan plan = {})
      : TestServer(std::move(handler), limits, [plan](const Request&) { return plan; }) {}
  TestServer(Handler handler, Limits limits, Planner planner, TrustedProxies proxies = {})
      : TestServer(std::move(handler), std::move(planner), options(limits, std::move(proxies))) {}
  TestServer(Handler handler, Planner planner, ServerOptions options)
      : handler_(std::move(handler)),
        planner_(std::move(planner)),
        loops_(make_loops()),
        server_(std::move(options), *this, loops_) {
    auto listeners = open_listeners({{{"127.0.0.1", 0, {}}}, {}, false});
    EXPECT_TRUE(listeners.ok()) << listeners.status().message();
    server_.listen(*std::move(listeners));
    for (const auto& loop : loops_) loop->start();
    server_.serve();
  }

  // A connection may hold the last pointer to a loop, which must have stopped by then.
  ~TestServer() {
    server_.stop(TimePoint::min());
    for (const auto& loop : loops_) loop->stop();
  }

  Server& operator*() { return server_; }
  Server* operator->() { return &server_; }
  std::uint16_t port() const {
    const std::string url = server_.urls().front();
    return static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
  }
  std::vector<Refused> refused() {
    const std::lock_guard lock(mutex_);
    return refused_;
  }
  std::vector<std::string> refused_clients() {
    const std::lock_guard lock(mutex_);
    return refused_clients_;
  }
  std::vector<std::string> reasons() {
    const std::lock_guard lock(mutex_);
    return reasons_;
  }

 private:
  BodyPlan plan(const Request& request) override { return planner_(request); }
  void handle(Exchange& exchange) override { handler_(exchange); }
  void refuse(Exchange& exchange, Refusal refusal) override {
    const Request& request = exchange.request();
    Response response = problem(refusal, request.path);
    {
      const std::lock_guard lock(mutex_);
      refused_.push_back({request.method, request.path, response.status});
      refused_clients_.push_back(request.client);
      reasons_.emplace_back(refusal.reason);
    }
    exchange.respond(std::move(response));
  }
  void aborted(std::string_view reason) override {
    const std::lock_guard lock(mutex_);
    reasons_.emplace_back(reason);
  }
  void connections(std::size_t) override {}

  static ServerOptions options(const Limits& limits, TrustedProxies proxies) {
    ServerOptions options;
    options.limits = limits;
    options.proxies = std::move(proxies);
    return options;
  }
  static Server::Loops make_loops() {
    static const SteadyClock kClock;
    return {std::make_shared<EventLoop>(kClock), std::make_shared<EventLoop>(kClock)};
  }

  Handler handler_;
  Planner planner_;
  std::mutex mutex_;
  std::vector<Refused> refused_;
  std::vector<std::string> refused_clients_;
  std::vector<std::string> reasons_;
  Server::Loops loops_;
  Server server_;  // last: it uses the others
};

inline TimePoint in_ten_seconds() { return SteadyClock().now() + std::chrono::seconds(10); }

}  // namespace bentohost::http
