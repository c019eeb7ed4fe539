// Dispatcher: the handler of all requests: from the front through the host's duties (the tracked
// exchange) and the service's middleware to a route: an API, a mount, or one of the host's own
// endpoints. What there is at the moment is a RoutingSnapshot; a request begins with its head, and
// goes on to its end with the routes that it found then.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/route/router.h"
#include "service/middleware/inner_exchange.h"
#include "service/request.h"
#include "service/route_labels.h"
#include "service/routing/routing_snapshot.h"
#include "service/routing/service_routes.h"
#include "service/tracked_exchange.h"

namespace bentohost::service {

class Dispatcher final : public http::Application {
 public:
  explicit Dispatcher(RequestDeps& deps);
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // [before serving] A page of the host's for the operators' listener alone.
  void add_admin(std::string_view method, const std::string& path,
                 std::function<void(const RequestPtr&)> call);

  // [any] The routes of a service that is started, and a snapshot of all services' routes.
  Result<ServiceRoutesPtr> make_routes(
      std::shared_ptr<const LiveService> service,
      std::vector<std::shared_ptr<const LiveService>> around = {}) {
    return ServiceRoutes::create(deps_, labels_, std::move(service), std::move(around));
  }
  Result<RoutingSnapshotPtr> make_snapshot(std::vector<ServiceRoutesPtr> services) const {
    return RoutingSnapshot::create(own_, labels_, std::move(services));
  }
  // [any] From now on all requests that come are routed there. Until the first, there are only the
  // host's pages.
  void publish(RoutingSnapshotPtr snapshot);
  // From now on readyz asks the services, not only whether we have begun.
  void set_started() { started_ = true; }
  bool has_started() const { return started_; }

  // http::Application
  http::BodyPlan plan(const http::Request& request) override;
  void handle(http::Exchange& exchange) override;
  void refuse(http::Exchange& exchange, http::Refusal refusal) override;
  void aborted(std::string_view reason) override;
  void connections(std::size_t open) override;

  // OK, or UNAVAILABLE with all reasons.
  Status readiness() const;

 private:
  using Match = ServiceRoutes::Match;
  // What a request is for. `routes` are the match's, and held; null for the host's pages and
  // nothing.
  struct RouteMatch {
    Match match;
    ServiceRoutesPtr routes;
    bool is_hidden = false;  // there is something, of a generation that it must not see
  };

  RoutingSnapshotPtr snapshot() const;
  void add_builtin_routes();
  void show_load();
  Route& own_route(std::string_view method, const std::string& path,
                   std::function<void(const RequestPtr&)> call);
  RouteMatch find_route(const http::Request& request, const RoutingSnapshot& snapshot) const;
  // The same for a request that has found `routes` before, of which it must not see another
  // generation.
  RouteMatch find_pinned_route(const ServiceRoutesPtr& routes, const http::Request& request,
                               const RoutingSnapshot& snapshot) const;
  std::string allow(const http::Request& request) const { return allow(request, request.path); }
  std::string allow(const http::Request& request, std::string_view path) const;

  // How a request comes to what is next: on a thread that may wait; with a streamed body.
  struct EntryMode {
    bool is_on_thread, is_streamed;
  };
  // Why no new work is taken; nothing if it is.
  std::optional<Status> refusal() const;
  // Answers with an error that comes before the service has a say. It passes the service's
  // middleware in hooks, so that a browser may read it (CORS); middleware that may wait is passed
  // over, for nothing waits here.
  void refuse(const ServiceRoutesPtr& routes, const std::shared_ptr<TrackedExchange>& tracked,
              const http::Refusal& refusal);
  void run_middleware(const ServiceRoutesPtr& routes, std::size_t step,
                      const std::shared_ptr<TrackedExchange>& tracked, http::Exchange& exchange,
                      const std::shared_ptr<const void>& outer, EntryMode mode);
  void dispatch(const ServiceRoutesPtr& routes, const std::shared_ptr<TrackedExchange>& tracked,
                http::Exchange& exchange, const std::shared_ptr<const void>& outer, EntryMode mode);
  void route(const RequestPtr& request, const RouteMatch& found);
  // For a path without a target: 404, 405, or the answer to OPTIONS.
  void answer_unrouted(RequestContext& request, bool is_hidden);
  void refuse_method(RequestContext& request, const std::string& allowed);
  // What an app says that is mounted over routes: it knows nothing of their methods, nor of a route
  // that differs in the slash at its end.
  void add_routes_beside(const RequestContext& request, http::Response& response) const;
  // To the route whose path has a slash at its end in place of none, or the other way round;
  // nothing if there is none.
  std::optional<http::Response> redirect(const http::Request& request) const;

  RequestDeps& deps_;
  RouteLabels labels_;
  std::deque<Route> own_routes_;
  std::vector<const Route*> own_;            // of the public door
  http::Router<const Route*> admin_router_;  // of the other one
  mutable std::mutex mutex_;
  RoutingSnapshotPtr snapshot_;  // guarded by mutex_
  std::atomic<bool> started_ = false;
};

}  // namespace bentohost::service
