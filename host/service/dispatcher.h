// Dispatcher: the handler of all requests: from the front through the host's duties (the ledger)
// and the service's middleware to a route: an API, a mount, or one of the host's own endpoints.
// Filled before serving; then any thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/router.h"
#include "service/endpoint.h"
#include "service/file_mount.h"
#include "service/ledger.h"
#include "service/middleware.h"
#include "service/passage.h"
#include "service/request.h"

namespace bentohost::service {

class Dispatcher final : public http::Application {
 public:
  explicit Dispatcher(Environment& environment) : environment_(environment) {
    add_builtin_routes();
  }
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // The routes, mounts and middleware of a started service, behind its prefix. The middleware of
  // those `around` it, which are started, too, comes before its own. FAILED_PRECONDITION names the
  // two routes that collide, NOT_FOUND a folder that is not there.
  Status add(const LiveService& service, const std::vector<const LiveService*>& around = {});
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
  // A service and what is around it.
  struct Served {
    const LiveService* service;
    MiddlewareSteps steps;
    bool has_around = false;
  };
  struct Route {
    std::function<void(const RequestPtr&)> call;
    http::BodyPlan plan;
    std::string owner;               // "api iris_classifier.classify", for messages
    const Served* served = nullptr;  // null: the host's own
    std::string root_path;           // what of the path leads to it
    bool is_files = false;
    const RouteLabel* label = nullptr;
  };
  using Match = http::Router<const Route*>::Match;

  const http::Router<const Route*>& router_of(const http::Request& request) const {
    return request.door == http::Door::kAdmin ? admin_router_ : router_;
  }
  void add_builtin_routes();
  const RouteLabel* label(const std::string& route);
  const RouteLabel* label_of(const Match& match) const;
  Status add_route(std::string_view method, const std::string& path, Route route);
  Status add_mount(const std::string& path, Route route);
  Status add_files(const Served& served, const plugin::MountSpec& mount);
  Status add_app(const Served& served, const plugin::MountSpec& mount);
  // Whose middleware is around what is asked for; null: none's.
  const Served* wrapped_by(const http::Request& request, const Match& match) const;

  // How a request comes to what is next: on a thread that may wait; with a streamed body.
  struct Way {
    bool is_on_thread, is_streamed;
  };
  // Why no new work is taken; nothing if it is.
  std::optional<Status> refusal() const;
  void enter(const Served& served, std::size_t step, const std::shared_ptr<Ledger>& ledger,
             http::Exchange& exchange, const std::shared_ptr<const void>& outer, Way way);
  void arrive(const std::shared_ptr<Ledger>& ledger, http::Exchange& exchange,
              const std::shared_ptr<const void>& outer, Way way);
  void route(const RequestPtr& request, const Match& match);
  // For a path without a target: 404, 405, or the answer to OPTIONS.
  void answer_unrouted(RequestContext& request);
  void refuse_method(RequestContext& request, const std::string& allow);

  Environment& environment_;
  http::Router<const Route*> router_;
  http::Router<const Route*> admin_router_;                // the host's own endpoints alone
  std::map<std::string, RouteLabel, std::less<>> labels_;  // by route
  std::deque<Route> routes_;
  std::deque<Served> served_;
  bool has_middleware_ = false;
  std::deque<Endpoint> endpoints_;
  std::deque<FileMount> file_mounts_;
  std::atomic<bool> started_ = false;
};

}  // namespace bentohost::service
