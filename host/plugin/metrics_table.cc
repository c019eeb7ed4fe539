#include "plugin/metrics_table.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>

#include "plugin/host_table.h"

namespace bentohost::plugin {
namespace {

observe::CustomMetric& from_abi(bento_metric* metric) {
  return *reinterpret_cast<observe::CustomMetric*>(metric);
}
observe::CustomSeries& from_abi(bento_series* series) {
  return *reinterpret_cast<observe::CustomSeries*>(series);
}

Result<observe::MetricKind> kind_from_abi(std::uint32_t kind) {
  switch (kind) {
    case BENTO_COUNTER:
      return observe::MetricKind::kCounter;
    case BENTO_GAUGE:
      return observe::MetricKind::kGauge;
    case BENTO_HISTOGRAM:
      return observe::MetricKind::kHistogram;
    default:
      return Status(BENTO_INVALID_ARGUMENT, "unknown kind of metric: " + std::to_string(kind));
  }
}

bento_code define(const bento_host* host, std::uint32_t kind, bento_str name, bento_str help,
                  const bento_str* labels, std::size_t n_labels, const double* bounds,
                  std::size_t n_bounds, bento_metric** out, bento_error* error) {
  return answer_plugin(error, [&]() -> Status {
    auto known = kind_from_abi(kind);
    if (!known.ok()) return std::move(known).take_status().as_misuse();
    const MetricsOutlet& outlet = HostTable::metrics_of(host);
    observe::MetricDefinition definition{
        *known, std::string(to_view(name)), std::string(to_view(help)), {}, {}};
    for (const bento_str& label : std::span(labels, n_labels)) {
      definition.labels.emplace_back(to_view(label));
    }
    definition.bounds.assign(bounds, bounds + n_bounds);
    auto metric = outlet.metrics->define(outlet.scope, std::move(definition));
    if (!metric.ok()) return std::move(metric).take_status().as_misuse();
    *out = reinterpret_cast<bento_metric*>(*metric);
    return {};
  });
}

bento_code series(bento_metric* metric, const bento_str* values, std::size_t n, bento_series** out,
                  bento_error* error) {
  return answer_plugin(error, [&]() -> Status {
    constexpr std::size_t kMostLabels = observe::CustomMetric::kMaxLabels;
    std::array<std::string_view, kMostLabels> texts;
    const std::size_t known = std::min(n, kMostLabels);
    for (std::size_t i = 0; i < known; ++i) texts[i] = to_view(values[i]);
    auto found = from_abi(metric).series({texts.data(), known});
    if (!found.ok()) return std::move(found).take_status().as_misuse();
    *out = reinterpret_cast<bento_series*>(*found);
    return {};
  });
}

void add(bento_series* series, double amount) { from_abi(series).add(amount); }
void set(bento_series* series, double value) { from_abi(series).set(value); }
void observe_value(bento_series* series, double value) { from_abi(series).observe(value); }

}  // namespace

bool is_of_release(const bento_plugin_entry& entry, std::string_view host_version) {
  if (!BENTO_HAS(&entry, built_with) || entry.built_with == nullptr) return false;
  std::string_view built_with = entry.built_with;
  constexpr std::string_view kSdk = "bento-sdk ";
  if (!built_with.starts_with(kSdk)) return false;
  built_with.remove_prefix(kSdk.size());
  if (!built_with.starts_with(host_version)) return false;
  built_with.remove_prefix(host_version.size());
  return built_with.empty() || built_with[0] == ',';
}

const bento_metrics& metrics_table() {
  static const bento_metrics kTable{sizeof(bento_metrics), 0, &define, &series, &add, &set,
                                    &observe_value};
  return kTable;
}

}  // namespace bentohost::plugin
