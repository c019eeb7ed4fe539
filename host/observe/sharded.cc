#include "observe/sharded.h"

#include <algorithm>
#include <limits>

namespace bentohost::observe {

std::int64_t ShardedSum::value() const {
  std::int64_t sum = 0;
  for (const Shard& shard : shards_) sum += shard.value.load(std::memory_order_relaxed);
  return sum;
}

ShardedHistogram::ShardedHistogram(std::vector<double> bounds) : bounds_(std::move(bounds)) {
  const std::size_t lines = bounds_.size() * sizeof(std::uint64_t) / kCacheLine + 1;
  for (Shard& shard : shards_) shard.lines = std::vector<Line>(lines);
}

void ShardedHistogram::observe(double value) {
  // Most values belong into one of the first buckets.
  std::size_t bucket = 0;
  while (bucket < bounds_.size() && value > bounds_[bucket]) ++bucket;
  Shard& shard = shards_[this_shard()];
  count(shard.lines, bucket).fetch_add(1, std::memory_order_relaxed);
  shard.sum.fetch_add(value, std::memory_order_relaxed);
}

void ShardedHistogram::collect(prometheus::ClientMetric& to) const {
  prometheus::ClientMetric::Histogram& histogram = to.histogram;
  for (std::size_t i = 0; i <= bounds_.size(); ++i) {
    for (Shard& shard : shards_) {
      histogram.sample_count += count(shard.lines, i).load(std::memory_order_relaxed);
    }
    const bool is_last = i == bounds_.size();
    histogram.bucket.push_back(
        {histogram.sample_count, is_last ? std::numeric_limits<double>::infinity() : bounds_[i]});
  }
  for (const Shard& shard : shards_) {
    histogram.sample_sum += shard.sum.load(std::memory_order_relaxed);
  }
}

}  // namespace bentohost::observe
