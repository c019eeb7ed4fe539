// What a front and a reload do to serve: plan and handle, part and site, without either.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <utility>
#include <vector>

#include "fakes/fake_exchange.h"
#include "service/dispatcher.h"

namespace bentohost::fakes {

// As the front asks: first with the head, then with all of it.
inline void ask(service::Dispatcher& dispatcher, FakeExchange& exchange) {
  exchange.target = dispatcher.plan(exchange.request()).target;
  dispatcher.handle(exchange);
}

// A service that is up, without runners.
inline std::shared_ptr<const service::LiveService> start(std::unique_ptr<plugin::Instance> instance,
                                                         const std::string& prefix = "") {
  auto service = std::make_shared<service::LiveService>(std::move(instance), prefix);
  EXPECT_TRUE(service->create().ok());
  EXPECT_TRUE(service->start().ok());
  return service;
}

// Serves these, and nothing else.
inline Status serve(service::Dispatcher& dispatcher,
                    const std::vector<std::shared_ptr<const service::LiveService>>& services) {
  std::vector<service::ServiceRoutesPtr> parts;
  for (const auto& service : services) {
    auto part = dispatcher.make_routes(service);
    if (!part.ok()) return std::move(part).take_status();
    parts.push_back(*std::move(part));
  }
  auto site = dispatcher.make_snapshot(std::move(parts));
  if (!site.ok()) return std::move(site).take_status();
  dispatcher.publish(*std::move(site));
  return {};
}

}  // namespace bentohost::fakes
