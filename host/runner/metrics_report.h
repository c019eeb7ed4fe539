// What the metrics of a runner have gained, as a worker reports it to the host: JSON, an array with
// an object for each series that has changed.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"
#include "observe/custom_metrics.h"

namespace bentohost::runner {

// In the worker. Of many changes it takes some 256 KiB; the rest is left for the next report.
std::string take_report(observe::CustomMetrics& metrics);

// Which process a report comes from.
struct ReportSource {
  const std::string& service;
  const std::string& runner;
  std::uint32_t worker;
  const void* process;  // tells a worker from the next one in its place
};
// In the host. Counters and histograms are added up for all workers of the runner; gauges are each
// worker's own. A report is a plugin's word, so everything in it is checked: the first fault, while
// what is right is counted. INVALID_ARGUMENT: it is malformed; else as CustomMetrics::define().
Status apply_report(std::string_view report, const ReportSource& source,
                    observe::CustomMetrics& metrics);
// The worker has ended: its gauges are forgotten.
void forget_worker(const ReportSource& source, observe::CustomMetrics& metrics);

}  // namespace bentohost::runner
