// Under which route requests are logged and counted. Labels live as long as the process counts: a
// route that a reload has taken away keeps its series.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "observe/metrics.h"

namespace bentohost::service {

struct RouteLabel {
  observe::RouteMetrics* metrics;
  std::string route;  // the template; "" for none
};

class RouteLabels {
 public:
  explicit RouteLabels(observe::Metrics& metrics) : metrics_(metrics), unmatched_(get("")) {}

  // [any] The same one for the same route.
  const RouteLabel* get(const std::string& route) {
    std::lock_guard lock(mutex_);
    const auto [at, is_new] = labels_.try_emplace(route);
    if (is_new) at->second = {metrics_.route(route), route};
    return &at->second;
  }
  const RouteLabel* unmatched() const { return unmatched_; }

 private:
  observe::Metrics& metrics_;
  std::mutex mutex_;
  std::map<std::string, RouteLabel, std::less<>> labels_;  // guarded by mutex_
  const RouteLabel* unmatched_;
};

}  // namespace bentohost::service
