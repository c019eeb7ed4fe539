#include "reload/routing_change.h"

#include <algorithm>

namespace bentohost::reload {
namespace {

bool goes_around(const ServiceSlotOptions& options, const std::string& service) {
  return options.is_around && (options.around.empty() || options.around == service);
}

}  // namespace

// The middleware that wraps `service`, with `live` in place of the service in `changed`.
std::vector<std::shared_ptr<const service::LiveService>> RoutingChange::around(
    const std::string& service, const ServiceSlot& changed,
    const std::shared_ptr<service::LiveService>& live) const {
  std::vector<std::shared_ptr<const service::LiveService>> all;
  for (const ServiceSlot& slot : slots_.all) {
    if (!goes_around(slot.options, service)) continue;
    all.push_back(&slot == &changed && live != nullptr ? live : slot.live);
  }
  return all;
}

Status RoutingChange::add(const ServiceSlot& slot,
                          const std::shared_ptr<service::LiveService>& live) {
  for (ServiceSlot& each : slots_.all) {
    if (each.options.is_around) continue;
    const bool is_it = &each == &slot;
    if (!is_it && (live == nullptr || !goes_around(slot.options, each.service))) continue;
    const auto& its_live = is_it && live != nullptr ? live : each.live;
    auto routes = dispatcher_.make_routes(its_live, around(each.service, slot, live));
    if (!routes.ok()) return std::move(routes).take_status();
    routes_.emplace_back(&each, *std::move(routes));
  }
  std::vector<service::ServiceRoutesPtr> all;
  for (const ServiceSlot& each : slots_.all) {
    const auto its_new = routes_of(each);
    const service::ServiceRoutesPtr& routes = its_new != nullptr ? its_new : each.routes;
    if (routes != nullptr) all.push_back(routes);
  }
  auto snapshot = dispatcher_.make_snapshot(std::move(all));
  if (!snapshot.ok()) return std::move(snapshot).take_status();
  snapshot_ = *std::move(snapshot);
  return {};
}

service::ServiceRoutesPtr RoutingChange::routes_of(const ServiceSlot& slot) const {
  const auto at = std::find_if(routes_.begin(), routes_.end(),
                               [&](const auto& pair) { return pair.first == &slot; });
  return at != routes_.end() ? at->second : nullptr;
}

void RoutingChange::publish() {
  dispatcher_.publish(std::move(snapshot_));
  snapshot_.reset();
}

void RoutingChange::hand_over() {
  for (auto& [slot, routes] : routes_) slot->routes = std::move(routes);
  routes_.clear();
}

}  // namespace bentohost::reload
