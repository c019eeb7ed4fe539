// Dispatcher: the handler of all requests: the host's duties around them (id, deadline, log,
// metrics), routing, and the host's own endpoints. Filled before serving; then any thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "http/router.h"
#include "service/endpoint.h"
#include "service/file_mount.h"
#include "service/request.h"

namespace bentohost::service {

class Dispatcher final : public http::Application {
 public:
  explicit Dispatcher(Environment& environment) : environment_(environment) {
    add_builtin_routes();
  }
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // The routes and files of a started service, behind its prefix. FAILED_PRECONDITION names the two
  // that collide, NOT_FOUND a folder that is not there.
  Status add(const LiveService& service);
  // From now on readyz asks the services, not only whether we have begun.
  void set_started() { started_ = true; }

  // http::Application. What the front refused by itself is only logged and counted.
  http::BodyPlan plan(const http::Request& request) override;
  void handle(http::Exchange& exchange) override;
  void rejected(const http::Request& request, const http::Response& response,
                std::string_view reason) override;
  void cut(std::string_view reason) override;
  void connections(std::size_t open) override;

  // OK, or UNAVAILABLE with all reasons.
  Status readiness() const;

 private:
  struct Route {
    std::function<void(const RequestPtr&)> call;
    http::BodyPlan plan;
    observe::RouteMetrics* metrics = nullptr;
    const LiveService* service = nullptr;  // null: the host's own
    std::string owner;                     // "api iris_classifier.classify", for messages
    bool is_mount = false;                 // of files
  };

  const http::Router<const Route*>& router_of(const http::Request& request) const {
    return request.door == http::Door::kAdmin ? admin_router_ : router_;
  }
  void add_builtin_routes();
  Status add_route(std::string_view method, const std::string& path, Route route);
  Status add_files(const LiveService& service, const plugin::MountSpec& mount);
  // For a path without a target: 404, 405, or the answer to OPTIONS.
  void answer_unrouted(RequestContext& request, std::string_view route);
  void refuse_method(RequestContext& request, const std::string& allow);

  Environment& environment_;
  http::Router<const Route*> router_;
  http::Router<const Route*> admin_router_;  // the host's own endpoints alone
  std::deque<Route> routes_;
  std::deque<Endpoint> endpoints_;
  std::deque<FileMount> file_mounts_;
  std::vector<const LiveService*> services_;
  observe::RouteMetrics* unmatched_ = nullptr;
  std::atomic<bool> started_ = false;
};

}  // namespace bentohost::service
