#include "observe/sharded.h"

#include <gtest/gtest.h>

#include <cmath>
#include <thread>
#include <vector>

namespace bentohost::observe {
namespace {

prometheus::ClientMetric::Histogram read(const ShardedHistogram& histogram) {
  prometheus::ClientMetric metric;
  histogram.collect(metric);
  return metric.histogram;
}

// More threads than there are shards.
template <typename F>
void on_threads(F f) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 2 * kShards + 1; ++i) threads.emplace_back(f);
  for (std::thread& thread : threads) thread.join();
}

TEST(Sharded, NothingIsLostBetweenThreads) {
  ShardedCounter counter;
  ShardedGauge gauge;
  ShardedHistogram histogram({1});
  on_threads([&] {
    for (int i = 0; i < 1000; ++i) {
      counter.add(2);
      gauge.add(1);
      histogram.observe(i % 2 == 0 ? 0.5 : 1.5);
      gauge.add(-1);
    }
  });
  const std::uint64_t all = 1000 * (2 * kShards + 1);
  EXPECT_EQ(counter.value(), static_cast<std::int64_t>(2 * all));
  EXPECT_EQ(gauge.value(), 0);
  const auto got = read(histogram);
  EXPECT_EQ(got.sample_count, all);
  EXPECT_EQ(got.sample_sum, static_cast<double>(all));
  EXPECT_EQ(got.bucket[0].cumulative_count, all / 2);
}

TEST(Sharded, AGaugeMayGoDownOnAnotherThread) {
  ShardedGauge gauge;
  gauge.add(5);
  std::thread([&gauge] { gauge.add(-3); }).join();
  EXPECT_EQ(gauge.value(), 2);
}

TEST(Sharded, ABucketHasItsBoundAndTheLastOneTheRest) {
  // As many that a shard's counts take more than one cache line.
  std::vector<double> bounds;
  for (int i = 1; i <= 19; ++i) bounds.push_back(i);
  ShardedHistogram histogram(bounds);
  for (const double value : {0.0, 1.0, 1.5, 8.0, 8.5, 19.0, 20.0}) histogram.observe(value);
  const auto got = read(histogram);
  ASSERT_EQ(got.bucket.size(), bounds.size() + 1);
  EXPECT_EQ(got.bucket[0].cumulative_count, 2u);   // 0 and 1
  EXPECT_EQ(got.bucket[1].cumulative_count, 3u);   // 1.5
  EXPECT_EQ(got.bucket[7].cumulative_count, 4u);   // 8
  EXPECT_EQ(got.bucket[8].cumulative_count, 5u);   // 8.5
  EXPECT_EQ(got.bucket[18].cumulative_count, 6u);  // 19
  EXPECT_EQ(got.bucket[19].cumulative_count, 7u);
  EXPECT_TRUE(std::isinf(got.bucket[19].upper_bound));
  EXPECT_EQ(got.sample_count, 7u);
  EXPECT_EQ(got.sample_sum, 58.0);
}

TEST(ShardedFamily, HasOneMetricForTheSameLabels) {
  ShardedFamily<ShardedCounter> family("requests_total", "Requests.");
  // Without a metric its name and help are told all the same, as the library does it.
  EXPECT_TRUE(family.Collect().at(0).metric.empty());
  ShardedCounter& one = family.add({{"code", "200"}});
  EXPECT_EQ(&family.add({{"code", "200"}}), &one);
  EXPECT_NE(&family.add({{"code", "404"}}), &one);
  one.add(3);
  const auto families = family.Collect();
  ASSERT_EQ(families.size(), 1u);
  EXPECT_EQ(families[0].name, "requests_total");
  EXPECT_EQ(families[0].help, "Requests.");
  EXPECT_EQ(families[0].type, prometheus::MetricType::Counter);
  ASSERT_EQ(families[0].metric.size(), 2u);
  EXPECT_EQ(families[0].metric[0].label.at(0).value, "200");
  EXPECT_EQ(families[0].metric[0].counter.value, 3);
}

}  // namespace
}  // namespace bentohost::observe
