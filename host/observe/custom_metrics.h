// CustomMetrics: the metrics that services define themselves, in the serving process and in its
// runners' processes. One object for each process. A definition belongs to a name, whichever
// services share it; the series of each service, runner and worker are kept apart by labels.
//
// Threads: any. Looking a series up takes a lock, adding to it does not. Metrics and series live as
// long as the CustomMetrics: a service that is loaded again finds the same ones.
#pragma once

#include <prometheus/metric_family.h>

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace bentohost::observe {

enum class MetricKind : std::uint8_t { kCounter = 1, kGauge, kHistogram };

struct MetricDefinition {
  MetricKind kind{};
  std::string name, help;
  std::vector<std::string> labels;  // of the service's own
  std::vector<double> bounds;       // of a histogram's buckets: increasing, without +Inf
};

// Whose series they are: labels of each of them. Empty ones are left out.
struct MetricScope {
  std::string service, runner, worker;
  auto operator<=>(const MetricScope&) const = default;
};

// What has been added since the last take_changes(). Of a gauge: its value.
struct SeriesChange {
  double value = 0;                   // histogram: the sum of what was observed
  std::vector<std::uint64_t> counts;  // histogram: by bucket, +Inf last
};

class CustomSeries {
 public:
  CustomSeries(const MetricDefinition& definition, std::atomic<bool>& has_changes);

  // Without effect: a value that is not finite, or that the kind of the metric does not take.
  void add(double amount);     // counter (not negative), gauge
  void set(double value);      // gauge
  void observe(double value);  // histogram
  void merge(const SeriesChange& change);

 private:
  friend class CustomMetrics;
  void note_change() {
    is_changed_.store(true, std::memory_order_release);
    has_changes_.store(true, std::memory_order_relaxed);
  }
  SeriesChange read() const;

  const MetricDefinition& definition_;
  std::atomic<bool>& has_changes_;
  std::atomic<double> value_ = 0;
  std::unique_ptr<std::atomic<std::uint64_t>[]> counts_;
  std::atomic<bool> is_changed_ = false;
  SeriesChange reported_;  // guarded by the mutex of CustomMetrics
};

class CustomMetric {
 public:
  static constexpr std::size_t kMaxSeries = 1000;
  static constexpr std::size_t kMaxLabels = 16;
  static constexpr std::size_t kMaxLabelLength = 128;  // bytes of a value

  CustomMetric(const MetricDefinition& definition, std::atomic<bool>& has_changes);

  // The series with these values of the labels, in their order. Beyond kMaxSeries, and for values
  // that are too long or not UTF-8, it is the one whose values are all "other". INVALID_ARGUMENT:
  // more or fewer values than labels.
  Result<CustomSeries*> series(std::span<const std::string_view> values);
  const MetricDefinition& definition() const { return definition_; }

 private:
  friend class CustomMetrics;
  const MetricDefinition& definition_;
  std::atomic<bool>& has_changes_;
  const void* source_ = nullptr;  // of set_source()
  Mutex mutex_;
  std::map<std::vector<std::string>, std::unique_ptr<CustomSeries>> series_
      BENTO_GUARDED_BY(mutex_);
};

class CustomMetrics {
 public:
  static constexpr std::size_t kMaxMetrics = 256;  // of a service

  CustomMetrics();
  ~CustomMetrics();

  // The same metric for the same scope and definition. A metric without labels has its series from
  // now on. INVALID_ARGUMENT: a name, label or bound that Prometheus does not take, or that is
  // reserved. FAILED_PRECONDITION: there is a metric of that name, and it is another one.
  // RESOURCE_EXHAUSTED: kMaxMetrics.
  Result<CustomMetric*> define(const MetricScope& scope, MetricDefinition definition);

  // The series of a worker that has ended go, unless another source has taken them over. Its
  // metrics must not be used any more.
  void set_source(CustomMetric& metric, const void* source);
  void drop(const MetricScope& scope, const void* source);

  bool is_used() const { return is_used_.load(std::memory_order_relaxed); }  // by any definition
  // Whether something was added that no take_changes() has taken.
  bool has_changes() const { return has_changes_.load(std::memory_order_relaxed); }
  // Of each series that has changed, until `visit` returns false: the rest is left for the next
  // time. Not while another thread calls this.
  using Visitor = std::function<bool(const MetricDefinition&, std::span<const std::string> values,
                                     const SeriesChange&)>;
  void take_changes(const Visitor& visit);

  std::vector<prometheus::MetricFamily> collect() const;

 private:
  struct Family {
    MetricDefinition definition;
    std::map<MetricScope, std::unique_ptr<CustomMetric>> metrics;
  };
  mutable Mutex mutex_;
  std::map<std::string, Family, std::less<>> families_ BENTO_GUARDED_BY(mutex_);
  std::map<std::string, std::size_t> metrics_of_ BENTO_GUARDED_BY(mutex_);  // by service
  std::atomic<bool> has_changes_ = false, is_used_ = false;
};

}  // namespace bentohost::observe
