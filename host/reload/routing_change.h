// RoutingChange: the routes that become others when one service does, or all of them at the start,
// and the snapshot of all services' routes as it will be then. Nothing of it is seen by requests
// until publish(); dropped before that, it lets go of the services that it holds.
//
// One thread at a time, that which may change the slots. It refers to the slots and the dispatcher.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "base/status.h"
#include "reload/service_slot.h"
#include "service/routing/dispatcher.h"

namespace bentohost::reload {

class RoutingChange {
 public:
  RoutingChange(service::Dispatcher& dispatcher, ServiceSlots& slots)
      : dispatcher_(dispatcher), slots_(slots) {}

  // The slot's service is to be `live`; null: it is the one that the slot has, and its routes are
  // made for the first time. Adds the routes of the slot or, where it goes around others, of each
  // service that it goes around, and makes the snapshot with all that were added so far. The errors
  // are Dispatcher::make_routes() and make_snapshot()'s: FAILED_PRECONDITION names two routes that
  // collide.
  Status add(const ServiceSlot& slot, const std::shared_ptr<service::LiveService>& live = nullptr);
  // The routes that were added for this slot itself; null if none were.
  service::ServiceRoutesPtr routes_of(const ServiceSlot& slot) const;

  // New requests get the new routes, once all were added.
  void publish();
  // After publish(): the slots let go of the old routes for the new ones.
  void hand_over();

 private:
  std::vector<std::shared_ptr<const service::LiveService>> around(
      const std::string& service, const ServiceSlot& changed,
      const std::shared_ptr<service::LiveService>& live) const;

  service::Dispatcher& dispatcher_;
  ServiceSlots& slots_;
  std::vector<std::pair<ServiceSlot*, service::ServiceRoutesPtr>> routes_;
  service::RoutingSnapshotPtr snapshot_;
};

}  // namespace bentohost::reload
