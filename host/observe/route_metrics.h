// RouteMetricsTable: the RouteMetrics of every route, and the families that they share. Requests
// need no label lookup: handles are kept by method and code, and read without a lock.
#pragma once

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "observe/metrics.h"

namespace bentohost::observe {

struct HttpFamilies {
  explicit HttpFamilies(prometheus::Registry& registry);

  prometheus::Family<prometheus::Counter>& requests;
  prometheus::Family<prometheus::Histogram>& duration;
  prometheus::Family<prometheus::Histogram>& request_size;
  prometheus::Family<prometheus::Histogram>& response_size;
};

class RouteMetricsTable {
 public:
  explicit RouteMetricsTable(prometheus::Registry& registry);
  ~RouteMetricsTable();

  RouteMetrics* route(std::string_view route);  // any thread

 private:
  class Route;

  HttpFamilies families_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<Route>, std::less<>> routes_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::observe
