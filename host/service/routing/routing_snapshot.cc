#include "service/routing/routing_snapshot.h"

#include <utility>

namespace bentohost::service {

Result<RoutingSnapshotPtr> RoutingSnapshot::create(const std::vector<const Route*>& own,
                                                   const RouteLabels& labels,
                                                   std::vector<ServiceRoutesPtr> services) {
  const std::shared_ptr<RoutingSnapshot> snapshot(new RoutingSnapshot);
  snapshot->unmatched_ = labels.unmatched();
  const auto add = [&](const Route& route) {
    snapshot->labels_.emplace(route.label->route, route.label);
    return add_to(snapshot->router_, route);
  };
  for (const Route* route : own) {
    if (Status status = add(*route); !status.ok()) return status;
  }
  for (const ServiceRoutesPtr& routes : services) {
    snapshot->has_middleware_ |= !routes->steps().empty();
    for (const Route& route : routes->routes()) {
      if (Status status = add(route); !status.ok()) return status;
    }
  }
  snapshot->services_ = std::move(services);
  return RoutingSnapshotPtr(snapshot);
}

const RouteLabel* RoutingSnapshot::label_of(const Match& match) const {
  if (match.target != nullptr) return (*match.target)->label;
  const auto known = labels_.find(match.route);  // a route that does not take the method
  return known != labels_.end() ? known->second : unmatched_;
}

ServiceRoutesPtr RoutingSnapshot::around(const http::Request& request, const Match& match) const {
  if (!has_middleware_ || request.role == http::ListenerRole::kAdmin) return nullptr;
  const ServiceRoutes* owner = match.target != nullptr ? (*match.target)->service_routes : nullptr;
  if (owner == nullptr) {  // a page of the host's, or no route: the service with the longest prefix
    for (const ServiceRoutesPtr& routes : services_) {
      const std::string& prefix = routes->service().prefix();
      const bool is_in = request.path.starts_with(prefix) &&
                         (request.path.size() == prefix.size() ||
                          request.path[prefix.size()] == '/' || prefix.empty());
      const bool is_longer = owner == nullptr || prefix.size() > owner->service().prefix().size();
      if (is_in && is_longer) owner = routes.get();
    }
  }
  return owner != nullptr && !owner->steps().empty() ? hold(*owner) : nullptr;
}

ServiceRoutesPtr RoutingSnapshot::hold(const ServiceRoutes& routes) const {
  for (const ServiceRoutesPtr& each : services_) {
    if (each.get() == &routes) return each;
  }
  return nullptr;
}

}  // namespace bentohost::service
