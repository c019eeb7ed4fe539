// The route under which a request is logged and counted. Labels live as long as the process: a
// route that a reload has removed keeps its time series.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "observe/metrics.h"

namespace bentohost::service {

struct RouteLabel {
  observe::RouteMetrics* metrics;
  std::string route;  // the template; "" for none
};

class RouteLabels {
 public:
  explicit RouteLabels(observe::Metrics& metrics) : metrics_(metrics), unmatched_(get("")) {}

  // [any] The same label for the same route.
  const RouteLabel* get(const std::string& route);
  const RouteLabel* unmatched() const { return unmatched_; }

  // [any] The label of a route that an app names, below its mount ("/app/*"). Null when `route` is
  // malformed; the mount's own label once the app has named kMaxRoutesOfAMount of them, so that a
  // plugin cannot fill the memory of a metrics collector.
  static constexpr std::size_t kMaxRoutesOfAMount = 256, kMaxLength = 256;
  const RouteLabel* get_below(const RouteLabel& mount, std::string_view route);

 private:
  using ByRoute = std::map<std::string, const RouteLabel*, std::less<>>;

  const RouteLabel* get_locked(const std::string& route) BENTO_REQUIRES(mutex_);

  observe::Metrics& metrics_;
  Mutex mutex_;
  std::map<std::string, RouteLabel, std::less<>> labels_ BENTO_GUARDED_BY(mutex_);
  std::map<const RouteLabel*, ByRoute> below_ BENTO_GUARDED_BY(mutex_);  // by mount
  const RouteLabel* unmatched_;
};

}  // namespace bentohost::service
