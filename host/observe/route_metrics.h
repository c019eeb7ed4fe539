// RouteMetricsTable: the RouteMetrics of every route, and the families that they share. Requests
// need no label lookup: handles are kept by method and code, and read without a lock.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "observe/metrics.h"
#include "observe/sharded.h"

namespace bentohost::observe {

struct HttpFamilies {
  ShardedFamily<ShardedCounter> requests{"bentohost_http_requests_total",
                                         "HTTP requests, by method, route and status code."};
  ShardedFamily<ShardedHistogram> duration{
      "bentohost_http_request_duration_seconds",
      "From the request's arrival to the end of its response, in seconds."};
  ShardedFamily<ShardedHistogram> request_size{"bentohost_http_request_size_bytes",
                                               "Size of request bodies, in bytes."};
  ShardedFamily<ShardedHistogram> response_size{"bentohost_http_response_size_bytes",
                                                "Size of response bodies, in bytes."};
};

class RouteMetricsTable {
 public:
  RouteMetricsTable();
  ~RouteMetricsTable();

  RouteMetrics* route(std::string_view route);  // any thread
  // Calls `append` with the families of all routes.
  void collect(const std::function<void(std::vector<prometheus::MetricFamily>)>& append) const;

 private:
  class Route;

  HttpFamilies families_;
  Mutex mutex_;
  std::map<std::string, std::unique_ptr<Route>, std::less<>> routes_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::observe
