// ServiceRoutes: one generation of a service as requests see it: its routes, its mounts and its
// middleware. Immutable. A pointer to it is a lease: while there is one, neither the service nor
// the services whose middleware is around it are stopped.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "http/message.h"
#include "http/route/router.h"
#include "service/endpoint.h"
#include "service/live_service.h"
#include "service/middleware/middleware.h"
#include "service/request.h"
#include "service/request_deps.h"
#include "service/route_labels.h"
#include "service/routing/file_mount.h"

namespace bentohost::service {

class ServiceRoutes;

// The target of requests with one path and method, or below one prefix.
struct Route {
  std::function<void(const RequestPtr&)> call;
  http::BodyPlan plan;
  std::string owner;                              // "api iris_classifier.classify", for messages
  const ServiceRoutes* service_routes = nullptr;  // null: the host's own
  std::string root_path;                          // the prefix of the path that leads to it
  bool is_files = false;
  bool is_mount = false;
  bool is_program = false;
  bool has_parameters = false;  // its path is a template
  std::string method, path;     // a mount has no method, and its prefix as path
  const RouteLabel* label = nullptr;
};

class ServiceRoutes {
 public:
  // `around`: services whose middleware comes before its own, the outermost first. All are started.
  // NOT_FOUND names a folder that does not exist, FAILED_PRECONDITION two routes of the service
  // that collide.
  static Result<std::shared_ptr<const ServiceRoutes>> create(
      RequestDeps& deps, RouteLabels& labels, std::shared_ptr<const LiveService> service,
      std::vector<std::shared_ptr<const LiveService>> around = {});
  ServiceRoutes(const ServiceRoutes&) = delete;
  ServiceRoutes& operator=(const ServiceRoutes&) = delete;

  const LiveService& service() const { return *service_; }
  const MiddlewareSteps& steps() const { return steps_; }
  bool has_around() const { return has_around_; }
  const std::deque<Route>& routes() const { return routes_; }
  // A route without a call, for paths below the service's prefix that no route matches.
  const Route& fallback_route() const { return fallback_; }

  using Match = http::Router<const Route*>::Match;
  Match find(std::string_view method, std::string_view path) const {
    return router_.find(method, path);
  }

 private:
  explicit ServiceRoutes(RequestDeps& deps) : deps_(deps) {}
  Status add_apis(RouteLabels& labels);
  Status add_mounts(RouteLabels& labels);
  Status add_programs(RouteLabels& labels);
  Status add(RouteLabels& labels, Route route);
  Result<std::function<void(const RequestPtr&)>> files(const plugin::MountSpec& mount,
                                                       const std::string& root_path);
  std::function<void(const RequestPtr&)> app(RouteLabels& labels, const plugin::MountSpec& mount,
                                             const Route& route);
  // Whether the app has an asynchronous function for this request.
  static bool takes_async(const plugin::MountSpec& mount, RequestContext& request,
                          const std::string& who);

  RequestDeps& deps_;
  std::shared_ptr<const LiveService> service_;
  std::vector<std::shared_ptr<const LiveService>> around_;
  MiddlewareSteps steps_;
  bool has_around_ = false;
  std::deque<Route> routes_;
  Route fallback_;
  http::Router<const Route*> router_;
  std::deque<Endpoint> endpoints_;
  std::deque<FileMount> file_mounts_;
  std::deque<LoopStalls> stalls_;  // of apps
};
using ServiceRoutesPtr = std::shared_ptr<const ServiceRoutes>;

// Adds the route to a router, which may have other services' routes. FAILED_PRECONDITION names the
// two that collide.
Status add_to(http::Router<const Route*>& router, const Route& route);

}  // namespace bentohost::service
