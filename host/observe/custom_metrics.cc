#include "observe/custom_metrics.h"

#include <prometheus/client_metric.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/utf8.h"

namespace bentohost::observe {
namespace {

constexpr std::string_view kOther = "other";

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// prometheus.io, "Data model": [a-zA-Z_][a-zA-Z0-9_]*. (Colons are for recording rules.)
bool is_identifier(std::string_view text) {
  return !text.empty() && text.size() <= 200 && is_letter(text[0]) &&
         std::all_of(text.begin(), text.end(),
                     [](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

Status refuse(const MetricDefinition& definition, std::string why) {
  return Status(BENTO_INVALID_ARGUMENT, "the metric " + definition.name + ": " + std::move(why));
}

// What promtool, and every scraper, would object to.
Status check_name(const MetricDefinition& definition) {
  const std::string_view name = definition.name;
  if (!is_identifier(name)) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "\"" + definition.name.substr(0, 200) +
                      "\" is no name of a metric: letters, digits and '_', not a digit first");
  }
  for (const std::string_view prefix : {"bentohost_", "process_"}) {
    if (name.starts_with(prefix)) {
      return refuse(definition, "names with " + std::string(prefix) + " are the host's");
    }
  }
  const bool is_total = name.ends_with("_total");
  if (definition.kind == MetricKind::kCounter && !is_total) {
    return refuse(definition, "the name of a counter ends with _total");
  }
  if (definition.kind != MetricKind::kCounter && is_total) {
    return refuse(definition, "only the name of a counter ends with _total");
  }
  for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
    if (name.ends_with(suffix)) {
      return refuse(definition, "names with " + std::string(suffix) + " are those of histograms");
    }
  }
  if (definition.help.empty()) return refuse(definition, "it has no help text");
  if (!is_utf8(definition.help)) return refuse(definition, "its help text is not UTF-8");
  return {};
}

Status check_labels(const MetricDefinition& definition) {
  const std::vector<std::string>& labels = definition.labels;
  if (labels.size() > CustomMetric::kMaxLabels) {
    return refuse(definition, "more than " + std::to_string(CustomMetric::kMaxLabels) + " labels");
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (!is_identifier(labels[i]) || labels[i].starts_with("__")) {
      return refuse(definition, "\"" + labels[i].substr(0, 200) + "\" is no name of a label");
    }
    for (const std::string_view reserved : {"service", "runner", "worker", "le", "quantile"}) {
      if (labels[i] == reserved) return refuse(definition, "the label " + labels[i] + " is taken");
    }
    if (std::find(labels.begin(), labels.begin() + static_cast<std::ptrdiff_t>(i), labels[i]) !=
        labels.begin() + static_cast<std::ptrdiff_t>(i)) {
      return refuse(definition, "the label " + labels[i] + " is there twice");
    }
  }
  return {};
}

Status check_bounds(const MetricDefinition& definition) {
  const std::vector<double>& bounds = definition.bounds;
  if (definition.kind != MetricKind::kHistogram) {
    return bounds.empty() ? Status() : refuse(definition, "only a histogram has buckets");
  }
  if (bounds.empty() || bounds.size() > 200) {
    return refuse(definition, "a histogram has 1 to 200 bounds of buckets");
  }
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    if (!std::isfinite(bounds[i])) return refuse(definition, "a bound that is not finite");
    if (i > 0 && bounds[i] <= bounds[i - 1]) return refuse(definition, "bounds that do not grow");
  }
  return {};
}

Status check(const MetricDefinition& definition) {
  if (Status status = check_name(definition); !status.ok()) return status;
  if (Status status = check_labels(definition); !status.ok()) return status;
  return check_bounds(definition);
}

// The help text may differ: that of the first definition stays.
std::string_view difference(const MetricDefinition& a, const MetricDefinition& b) {
  if (a.kind != b.kind) return "of another kind";
  if (a.labels != b.labels) return "with other labels";
  return a.bounds != b.bounds ? "with other buckets" : std::string_view();
}

prometheus::ClientMetric to_prometheus(const MetricDefinition& definition,
                                       const SeriesChange& value) {
  prometheus::ClientMetric metric;
  switch (definition.kind) {
    case MetricKind::kCounter:
      metric.counter.value = value.value;
      break;
    case MetricKind::kGauge:
      metric.gauge.value = value.value;
      break;
    case MetricKind::kHistogram: {
      std::uint64_t all = 0;
      for (std::size_t i = 0; i < value.counts.size(); ++i) {
        all += value.counts[i];
        const double bound = i < definition.bounds.size() ? definition.bounds[i] : INFINITY;
        metric.histogram.bucket.push_back({all, bound});
      }
      metric.histogram.sample_count = all;
      metric.histogram.sample_sum = value.value;
    }
  }
  return metric;
}

prometheus::MetricType to_prometheus(MetricKind kind) {
  switch (kind) {
    case MetricKind::kCounter:
      return prometheus::MetricType::Counter;
    case MetricKind::kGauge:
      return prometheus::MetricType::Gauge;
    case MetricKind::kHistogram:
      return prometheus::MetricType::Histogram;
  }
  return prometheus::MetricType::Untyped;
}

}  // namespace

// ---- a series ----------------------------------------------------------------------------------

CustomSeries::CustomSeries(const MetricDefinition& definition, std::atomic<bool>& has_changes)
    : definition_(definition), has_changes_(has_changes) {
  if (definition.kind != MetricKind::kHistogram) return;
  counts_ = std::make_unique<std::atomic<std::uint64_t>[]>(definition.bounds.size() + 1);
  reported_.counts.resize(definition.bounds.size() + 1);
}

void CustomSeries::add(double amount) {
  if (!std::isfinite(amount) || definition_.kind == MetricKind::kHistogram) return;
  if (definition_.kind == MetricKind::kCounter && amount < 0) return;
  value_.fetch_add(amount, std::memory_order_relaxed);
  note_change();
}

void CustomSeries::set(double value) {
  if (!std::isfinite(value) || definition_.kind != MetricKind::kGauge) return;
  value_.store(value, std::memory_order_relaxed);
  note_change();
}

void CustomSeries::observe(double value) {
  if (!std::isfinite(value) || definition_.kind != MetricKind::kHistogram) return;
  const std::vector<double>& bounds = definition_.bounds;
  const auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
  counts_[static_cast<std::size_t>(bucket)].fetch_add(1, std::memory_order_relaxed);
  value_.fetch_add(value, std::memory_order_relaxed);
  note_change();
}

void CustomSeries::merge(const SeriesChange& change) {
  if (definition_.kind == MetricKind::kGauge) return set(change.value);
  if (definition_.kind == MetricKind::kCounter) return add(change.value);
  if (change.counts.size() != definition_.bounds.size() + 1 || !std::isfinite(change.value)) return;
  for (std::size_t i = 0; i < change.counts.size(); ++i) {
    counts_[i].fetch_add(change.counts[i], std::memory_order_relaxed);
  }
  value_.fetch_add(change.value, std::memory_order_relaxed);
  note_change();
}

SeriesChange CustomSeries::read() const {
  SeriesChange now;
  now.value = value_.load(std::memory_order_relaxed);
  if (counts_ == nullptr) return now;
  for (std::size_t i = 0; i <= definition_.bounds.size(); ++i) {
    now.counts.push_back(counts_[i].load(std::memory_order_relaxed));
  }
  return now;
}

// ---- a metric ----------------------------------------------------------------------------------

CustomMetric::CustomMetric(const MetricDefinition& definition, std::atomic<bool>& has_changes)
    : definition_(definition), has_changes_(has_changes) {
  if (definition.labels.empty()) (void)series({});
}

Result<CustomSeries*> CustomMetric::series(std::span<const std::string_view> values) {
  if (values.size() != definition_.labels.size()) {
    return Status(BENTO_INVALID_ARGUMENT, "the metric " + definition_.name + " has " +
                                              std::to_string(definition_.labels.size()) +
                                              " labels, and was given " +
                                              std::to_string(values.size()) + " values");
  }
  std::vector<std::string> key(values.begin(), values.end());
  const bool is_usable = std::all_of(values.begin(), values.end(), [](std::string_view value) {
    return value.size() <= kMaxLabelLength && is_utf8(value);
  });
  const MutexLock lock(mutex_);
  if (is_usable) {
    const auto found = series_.find(key);
    if (found != series_.end()) return found->second.get();
  }
  if (!is_usable || series_.size() >= kMaxSeries) key.assign(values.size(), std::string(kOther));
  std::unique_ptr<CustomSeries>& series = series_[std::move(key)];
  if (series == nullptr) {
    series = std::make_unique<CustomSeries>(definition_, has_changes_);
  }
  return series.get();
}

// ---- all of them -------------------------------------------------------------------------------

CustomMetrics::CustomMetrics() = default;
CustomMetrics::~CustomMetrics() = default;

Result<CustomMetric*> CustomMetrics::define(const MetricScope& scope, MetricDefinition definition) {
  if (Status status = check(definition); !status.ok()) return status;
  is_used_.store(true, std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  auto found = families_.find(definition.name);
  if (found != families_.end()) {
    const std::string_view other = difference(found->second.definition, definition);
    if (!other.empty()) {
      const MetricScope& owner =
          found->second.metrics.empty() ? scope : found->second.metrics.begin()->first;
      return Status(BENTO_FAILED_PRECONDITION,
                    "the metric " + definition.name + " is there already, " + std::string(other) +
                        ", of the service " + owner.service +
                        ": give it another name, or start the host anew");
    }
  }
  if (found == families_.end() || !found->second.metrics.contains(scope)) {
    std::size_t& metrics = metrics_of_[scope.service];
    const bool is_new = found == families_.end();
    if (is_new && metrics >= kMaxMetrics) {
      return Status(BENTO_RESOURCE_EXHAUSTED, "the service " + scope.service + " has " +
                                                  std::to_string(kMaxMetrics) + " metrics already");
    }
    if (is_new) {
      ++metrics;
      std::string name = definition.name;
      found = families_.emplace(std::move(name), Family{std::move(definition), {}}).first;
    }
    found->second.metrics[scope] =
        std::make_unique<CustomMetric>(found->second.definition, has_changes_);
  }
  return found->second.metrics[scope].get();
}

void CustomMetrics::set_source(CustomMetric& metric, const void* source) {
  const MutexLock lock(mutex_);
  metric.source_ = source;
}

void CustomMetrics::drop(const MetricScope& scope, const void* source) {
  const MutexLock lock(mutex_);
  for (auto& [name, family] : families_) {
    const auto found = family.metrics.find(scope);
    if (found != family.metrics.end() && found->second->source_ == source) {
      family.metrics.erase(found);
    }
  }
}

void CustomMetrics::take_changes(const Visitor& visit) {
  has_changes_.store(false, std::memory_order_relaxed);
  const MutexLock lock(mutex_);
  for (auto& [name, family] : families_) {
    for (auto& [scope, metric] : family.metrics) {
      const MutexLock series_lock(metric->mutex_);
      for (auto& [values, series] : metric->series_) {
        if (!series->is_changed_.exchange(false, std::memory_order_acquire)) continue;
        SeriesChange now = series->read();
        SeriesChange change = now;
        if (family.definition.kind != MetricKind::kGauge) change.value -= series->reported_.value;
        for (std::size_t i = 0; i < now.counts.size(); ++i) {
          change.counts[i] -= series->reported_.counts[i];
        }
        series->reported_ = std::move(now);
        if (!visit(family.definition, values, change)) {
          has_changes_.store(true, std::memory_order_relaxed);
          return;
        }
      }
    }
  }
}

std::vector<prometheus::MetricFamily> CustomMetrics::collect() const {
  std::vector<prometheus::MetricFamily> families;
  const MutexLock lock(mutex_);
  for (const auto& [name, family] : families_) {
    prometheus::MetricFamily& out = families.emplace_back();
    out.name = name;
    out.help = family.definition.help;
    out.type = to_prometheus(family.definition.kind);
    for (const auto& [scope, metric] : family.metrics) {
      const MutexLock series_lock(metric->mutex_);
      for (const auto& [values, series] : metric->series_) {
        prometheus::ClientMetric one = to_prometheus(family.definition, series->read());
        one.label.push_back({"service", scope.service});
        if (!scope.runner.empty()) one.label.push_back({"runner", scope.runner});
        if (!scope.worker.empty()) one.label.push_back({"worker", scope.worker});
        for (std::size_t i = 0; i < values.size(); ++i) {
          one.label.push_back({family.definition.labels[i], values[i]});
        }
        out.metric.push_back(std::move(one));
      }
    }
    if (out.metric.empty()) families.pop_back();
  }
  return families;
}

}  // namespace bentohost::observe
