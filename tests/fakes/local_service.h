// Serves as a connection and a reload do: plan and handle, routes and snapshot, without either.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "fakes/fake_exchange.h"
#include "service/routing/dispatcher.h"

namespace bentohost::fakes {

// As a connection does: first with the head, then with the whole request.
inline void ask(service::Dispatcher& dispatcher, FakeExchange& exchange) {
  exchange.target = dispatcher.plan(exchange.request()).target;
  dispatcher.handle(exchange);
}

// A started service, without runners.
inline std::shared_ptr<const service::LiveService> start(std::unique_ptr<plugin::Instance> instance,
                                                         const std::string& prefix = "") {
  auto service = std::make_shared<service::LiveService>(std::move(instance), prefix);
  EXPECT_TRUE(service->create().ok());
  EXPECT_TRUE(service->start().ok());
  return service;
}

// Serves these services, and nothing else.
inline Status serve(service::Dispatcher& dispatcher,
                    const std::vector<std::shared_ptr<const service::LiveService>>& services) {
  std::vector<service::ServiceRoutesPtr> routes;
  for (const auto& service : services) {
    auto made = dispatcher.make_routes(service);
    if (!made.ok()) return std::move(made).take_status();
    routes.push_back(*std::move(made));
  }
  auto snapshot = dispatcher.make_snapshot(std::move(routes));
  if (!snapshot.ok()) return std::move(snapshot).take_status();
  dispatcher.publish(*std::move(snapshot));
  return {};
}

}  // namespace bentohost::fakes
