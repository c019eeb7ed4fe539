#include "reload/reloader.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace bentohost::reload {
namespace {

TEST(Reloader, RefusesMoreThanMayWait) {
  const SteadyClock clock;
  observe::Metrics metrics("test");
  service::RequestDeps environment{clock, metrics};
  service::Dispatcher dispatcher(environment);
  const std::vector<std::shared_ptr<EventLoop>> loops = {std::make_shared<EventLoop>(clock)};
  ServiceTable services({}, {environment, dispatcher, loops, loops[0], metrics});
  Reloader reloader(services);  // not started: all requests wait
  std::vector<std::string> results;
  const auto note = [&results](const ReloadResult& outcome) {
    EXPECT_EQ(outcome.status.code(), BENTO_UNAVAILABLE);
    results.push_back(outcome.result);
  };
  for (std::size_t i = 0; i < Reloader::kMaxWaiting; ++i) reloader.request("iris", true, note);
  EXPECT_EQ(results, std::vector<std::string>());
  reloader.request("iris", true, note);
  EXPECT_EQ(results, std::vector<std::string>{"busy"});
  reloader.request("iris", false);  // a request without a callback is still queued, once
  results.clear();
  reloader.stop();
  EXPECT_EQ(results, std::vector<std::string>(Reloader::kMaxWaiting, "stopping"));
}

}  // namespace
}  // namespace bentohost::reload
