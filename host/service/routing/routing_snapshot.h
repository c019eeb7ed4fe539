// RoutingSnapshot: everything that is served at one moment: the host's own pages and the routes of
// each service. Immutable; a reload replaces it by a new one. It is held only while a request is
// routed: afterwards the request holds the routes of its service.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/message.h"
#include "http/route/router.h"
#include "service/routing/service_routes.h"

namespace bentohost::service {

class RoutingSnapshot {
 public:
  using Match = ServiceRoutes::Match;

  // `own` are the host's routes, and must outlive the snapshot. FAILED_PRECONDITION names two
  // routes that collide.
  static Result<std::shared_ptr<const RoutingSnapshot>> create(
      const std::vector<const Route*>& own, const RouteLabels& labels,
      std::vector<ServiceRoutesPtr> services);

  Match find(std::string_view method, std::string_view path) const {
    return router_.find(method, path);
  }
  // As http::Router::allow.
  std::string allow(std::string_view path) const { return router_.allow(path); }
  const RouteLabel* label_of(const Match& match) const;

  // The service whose middleware is around the request; null: none.
  ServiceRoutesPtr around(const http::Request& request, const Match& match) const;
  // A pointer that holds `routes`; null when they are not in this snapshot.
  ServiceRoutesPtr hold(const ServiceRoutes& routes) const;
  const std::vector<ServiceRoutesPtr>& services() const { return services_; }

 private:
  RoutingSnapshot() = default;

  std::vector<ServiceRoutesPtr> services_;
  bool has_middleware_ = false;
  http::Router<const Route*> router_;
  std::map<std::string, const RouteLabel*, std::less<>> labels_;  // by route
  const RouteLabel* unmatched_ = nullptr;
};
using RoutingSnapshotPtr = std::shared_ptr<const RoutingSnapshot>;

}  // namespace bentohost::service
