// ProcessMetrics: the process_* metrics that every Prometheus client offers (prometheus.io,
// "Writing client libraries"), read from /proc/self at each collection. Any thread.
#pragma once

#include <prometheus/collectable.h>
#include <prometheus/metric_family.h>

#include <vector>

namespace bentohost::observe {

class ProcessMetrics final : public prometheus::Collectable {
 public:
  ProcessMetrics();

  // Leaves out figures that cannot be read.
  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  double start_time_;  // seconds since 1970; 0: unknown
};

}  // namespace bentohost::observe
