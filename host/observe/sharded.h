// Counters, gauges and histograms for what happens at each request. Each thread counts in a shard
// of its own, without a lock, so that event loops do not take cache lines from each other; the
// shards are summed when metrics are read. What is read while others count may be torn: a
// histogram's count may be ahead of its sum by a request. [any]
#pragma once

#include <prometheus/client_metric.h>
#include <prometheus/collectable.h>
#include <prometheus/labels.h>
#include <prometheus/metric_family.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"

namespace bentohost::observe {

inline constexpr std::size_t kShards = 4;  // threads beyond these share them
inline constexpr std::size_t kCacheLine = 64;

// The calling thread's shard, which it keeps.
inline std::size_t this_shard() {
  static std::atomic<std::size_t> threads = 0;
  thread_local const std::size_t shard = threads.fetch_add(1, std::memory_order_relaxed) % kShards;
  return shard;
}

// A sum of whole numbers. As a counter it must not be given negative ones.
class ShardedSum {
 public:
  void add(std::int64_t number) {
    shards_[this_shard()].value.fetch_add(number, std::memory_order_relaxed);
  }
  std::int64_t value() const;

 private:
  struct alignas(kCacheLine) Shard {
    std::atomic<std::int64_t> value = 0;
  };
  std::array<Shard, kShards> shards_;
};

class ShardedCounter : public ShardedSum {
 public:
  static constexpr prometheus::MetricType kType = prometheus::MetricType::Counter;
  void collect(prometheus::ClientMetric& to) const {
    to.counter.value = static_cast<double>(value());
  }
};

class ShardedGauge : public ShardedSum {
 public:
  static constexpr prometheus::MetricType kType = prometheus::MetricType::Gauge;
  void collect(prometheus::ClientMetric& to) const {
    to.gauge.value = static_cast<double>(value());
  }
};

class ShardedHistogram {
 public:
  static constexpr prometheus::MetricType kType = prometheus::MetricType::Histogram;

  // `bounds`: the largest value of each bucket, in order; a last bucket takes the rest.
  explicit ShardedHistogram(std::vector<double> bounds);

  void observe(double value);
  void collect(prometheus::ClientMetric& to) const;

 private:
  // A shard's counts, one for each bucket, begin at a cache line of their own.
  struct alignas(kCacheLine) Line {
    std::array<std::atomic<std::uint64_t>, kCacheLine / sizeof(std::uint64_t)> counts{};
  };
  struct alignas(kCacheLine) Shard {
    std::atomic<double> sum = 0;
    std::vector<Line> lines;
  };
  static std::atomic<std::uint64_t>& count(std::vector<Line>& lines, std::size_t bucket) {
    constexpr std::size_t kPerLine = kCacheLine / sizeof(std::uint64_t);
    return lines[bucket / kPerLine].counts[bucket % kPerLine];
  }

  const std::vector<double> bounds_;
  mutable std::array<Shard, kShards> shards_;
};

// The metrics of one name, by labels, as prometheus::Family has those of the library.
template <typename Metric>
class ShardedFamily final : public prometheus::Collectable {
 public:
  ShardedFamily(std::string name, std::string help)
      : name_(std::move(name)), help_(std::move(help)) {}

  // The same metric for the same labels. It lives as long as the family.
  template <typename... Args>
  Metric& add(const prometheus::Labels& labels, const Args&... args) {
    const MutexLock lock(mutex_);
    std::unique_ptr<Metric>& metric = metrics_[labels];
    if (metric == nullptr) metric = std::make_unique<Metric>(args...);
    return *metric;
  }

  std::vector<prometheus::MetricFamily> Collect() const override {
    const MutexLock lock(mutex_);
    std::vector<prometheus::MetricFamily> families(1);
    families[0].name = name_;
    families[0].help = help_;
    families[0].type = Metric::kType;
    for (const auto& [labels, metric] : metrics_) {
      prometheus::ClientMetric& one = families[0].metric.emplace_back();
      for (const auto& [name, value] : labels) one.label.push_back({name, value});
      metric->collect(one);
    }
    return families;
  }

 private:
  const std::string name_, help_;
  mutable Mutex mutex_;
  std::map<prometheus::Labels, std::unique_ptr<Metric>> metrics_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::observe
