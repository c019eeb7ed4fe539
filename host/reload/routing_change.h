// RoutingChange: the new routes for the replacement of one service, or of all services at the
// start, and the resulting snapshot of all routes. Requests do not see the change until publish();
// if it is dropped before that, it lets go of the services that it holds.
//
// Threads: only the thread that may change the slots. Slots and dispatcher must outlive it.
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

  // The slot's service becomes `live`; null: it stays, and its routes are made for the first time.
  // Adds the routes of the slot or, if it wraps other services, of each service that it wraps, and
  // makes the snapshot with all routes added so far. The errors are those of make_routes() and
  // make_snapshot() of Dispatcher: FAILED_PRECONDITION names two routes that collide.
  Status add(const ServiceSlot& slot, const std::shared_ptr<service::LiveService>& live = nullptr);
  // The routes that were added for this slot itself; null if none were.
  service::ServiceRoutesPtr routes_of(const ServiceSlot& slot) const;

  // Makes new requests use the new routes. Call it once all were added.
  void publish();
  // After publish(): replaces the old routes in the slots by the new ones.
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
