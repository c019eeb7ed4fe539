// MetricList: the metrics that the plugin has made, which are defined in the host once there is
// one. Part of <bento/metrics.hpp>.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <bento/error.hpp>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento::detail {

struct MetricDefinition {
  std::uint32_t kind;
  std::string name, help;
  std::vector<std::string> labels;
  std::vector<double> bounds;
};

struct MetricState {
  explicit MetricState(MetricDefinition d) : definition(std::move(d)) {}

  const MetricDefinition definition;
  std::atomic<const bento_metrics*> table = nullptr;  // null: nothing counts
  bento_metric* metric = nullptr;                     // set before `table`
};

class MetricList {
 public:
  static MetricList& get() {
    static MetricList list;
    return list;
  }

  std::shared_ptr<MetricState> add(MetricDefinition definition) {
    auto state = std::make_shared<MetricState>(std::move(definition));
    const std::lock_guard lock(mutex_);
    if (host_ != nullptr) define(*state);
    std::erase_if(states_, [](const auto& other) { return other.expired(); });
    states_.push_back(state);
    return state;
  }

  // In create(): defines all metrics that there are.
  void bind(const bento_host* host) {
    const std::lock_guard lock(mutex_);
    host_ = host;
    for (const auto& held : states_) {
      if (const auto state = held.lock()) define(*state);
    }
  }
  // The host is going away.
  void unbind() {
    const std::lock_guard lock(mutex_);
    host_ = nullptr;
    for (const auto& held : states_) {
      if (const auto state = held.lock()) state->table = nullptr;
    }
  }

 private:
  void define(MetricState& state) {
    if (!BENTO_HAS(host_, extension)) return;
    const auto* table =
        static_cast<const bento_metrics*>(host_->extension(host_, BENTO_EXT_METRICS));
    if (table == nullptr) return;
    const MetricDefinition& d = state.definition;
    std::vector<bento_str> labels;
    for (const std::string& label : d.labels) labels.push_back(str(label));
    bento_error error = make_error();
    check(table->define(host_, d.kind, str(d.name), str(d.help), labels.data(), labels.size(),
                        d.bounds.data(), d.bounds.size(), &state.metric, &error),
          error);
    state.table = table;
  }

  std::mutex mutex_;
  const bento_host* host_ = nullptr;
  std::vector<std::weak_ptr<MetricState>> states_;
};

// A metric with values for its labels.
class MetricSeries {
 protected:
  MetricSeries(const MetricState& state, std::initializer_list<std::string_view> values)
      : table_(state.table) {
    if (table_ == nullptr) return;
    std::vector<bento_str> texts;
    for (const std::string_view value : values) texts.push_back(str(value));
    bento_error error = make_error();
    check(table_->series(state.metric, texts.data(), texts.size(), &series_, &error), error);
  }
  void call(void (*bento_metrics::*function)(bento_series*, double), double value) const {
    if (table_ != nullptr) (table_->*function)(series_, value);
  }

 private:
  const bento_metrics* table_;
  bento_series* series_ = nullptr;
};

}  // namespace bento::detail
