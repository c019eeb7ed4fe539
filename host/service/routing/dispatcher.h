// Dispatcher: handles all requests: it takes each through the host's duties (the tracked exchange)
// and the service's middleware to a route: an API, a mount, or one of the host's own pages. The
// current routes are a RoutingSnapshot; a request finds its routes when its head is complete, and
// keeps them to its end.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
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

  // [before serving] Adds a page of the host's to the admin port alone.
  void add_admin(std::string_view method, const std::string& path,
                 std::function<void(const RequestPtr&)> call);

  // [any] The routes of a started service, and a snapshot of all services' routes.
  Result<ServiceRoutesPtr> make_routes(
      std::shared_ptr<const LiveService> service,
      std::vector<std::shared_ptr<const LiveService>> around = {}) {
    return ServiceRoutes::create(deps_, labels_, std::move(service), std::move(around));
  }
  Result<RoutingSnapshotPtr> make_snapshot(std::vector<ServiceRoutesPtr> services) const {
    return RoutingSnapshot::create(own_, labels_, std::move(services));
  }
  // [any] From now on new requests are routed by `snapshot`. Before the first call there are only
  // the host's pages.
  void publish(RoutingSnapshotPtr snapshot);
  // [any] The routes of now.
  RoutingSnapshotPtr snapshot() const;
  // From now on readyz asks the services; before it says that the host is starting.
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
  // The route of a request. `routes` has the match's route and keeps it alive; null for the host's
  // pages and when there is no match.
  struct RouteMatch {
    Match match;
    ServiceRoutesPtr routes;
    bool is_hidden = false;  // the route exists, in a generation that the request must not see
  };

  void add_builtin_routes();
  void show_load();
  Route& own_route(std::string_view method, const std::string& path,
                   std::function<void(const RequestPtr&)> call);
  RouteMatch find_route(const http::Request& request, const RoutingSnapshot& snapshot) const;
  // The same for a request that found `routes` when it came: it must not see another generation of
  // that service.
  RouteMatch find_pinned_route(const ServiceRoutesPtr& routes, const http::Request& request,
                               const RoutingSnapshot& snapshot) const;
  std::string allow(const http::Request& request) const { return allow(request, request.path); }
  std::string allow(const http::Request& request, std::string_view path) const;

  // How a request enters the next layer: on a thread that may wait; with a streamed body.
  struct EntryMode {
    bool is_on_thread, is_streamed;
  };
  // Why no new work is taken; nullopt if it is taken.
  std::optional<Status> refusal() const;
  // Answers with an error before the service sees the request. The response passes the service's
  // middleware in hooks, so that a browser may read it (CORS). Middleware that may wait is skipped,
  // because this code must not wait.
  void refuse(const ServiceRoutesPtr& routes, const std::shared_ptr<TrackedExchange>& tracked,
              const http::Refusal& refusal);
  void run_middleware(const ServiceRoutesPtr& routes, std::size_t step,
                      const std::shared_ptr<TrackedExchange>& tracked, http::Exchange& exchange,
                      const std::shared_ptr<const void>& outer, EntryMode mode);
  void dispatch(const ServiceRoutesPtr& routes, const std::shared_ptr<TrackedExchange>& tracked,
                http::Exchange& exchange, const std::shared_ptr<const void>& outer, EntryMode mode);
  void route(const RequestPtr& request, RouteMatch&& found);
  // For a path without a target: 404, 405, a redirect, or the response to OPTIONS.
  void answer_unrouted(RequestContext& request, bool is_hidden);
  void refuse_method(RequestContext& request, const std::string& allowed);
  // Amends the response of an app that is mounted over routes: the app does not know the routes'
  // methods, nor a route that differs only in the slash at its end.
  void add_routes_beside(const RequestContext& request, http::Response& response) const;
  // A redirect to the route whose path differs only in the slash at its end; nullopt if there is no
  // such route.
  std::optional<http::Response> redirect(const http::Request& request) const;

  RequestDeps& deps_;
  RouteLabels labels_;
  std::deque<Route> own_routes_;
  std::vector<const Route*> own_;            // of the public port
  http::Router<const Route*> admin_router_;  // of the admin port
  mutable Mutex mutex_;
  RoutingSnapshotPtr snapshot_ BENTO_GUARDED_BY(mutex_);
  std::atomic<bool> started_ = false;
};

}  // namespace bentohost::service
