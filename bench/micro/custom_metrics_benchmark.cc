// What a service's own metric costs: a count in a series that is kept, in one that is looked up by
// its labels, and an observation; beside prometheus-cpp's counter and histogram.
#include <benchmark/benchmark.h>
#include <prometheus/counter.h>
#include <prometheus/histogram.h>

#include <string_view>
#include <vector>

#include "observe/custom_metrics.h"

namespace bentohost::observe {
namespace {

const std::vector<double> kBounds{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1};

CustomMetric& define(CustomMetrics& metrics, MetricKind kind, std::vector<std::string> labels) {
  const bool is_histogram = kind == MetricKind::kHistogram;
  return **metrics.define(
      {"iris", {}, {}}, {kind, is_histogram ? "seconds" : "made_total", "Help.", std::move(labels),
                         is_histogram ? kBounds : std::vector<double>()});
}

void CountsInAKeptSeries(benchmark::State& state) {
  static CustomMetrics metrics;
  CustomSeries& series = **define(metrics, MetricKind::kCounter, {}).series({});
  for (auto _ : state) series.add(1);
}
BENCHMARK(CountsInAKeptSeries)->Threads(1)->Threads(2);

void CountsByLabel(benchmark::State& state) {
  static CustomMetrics metrics;
  CustomMetric& metric = define(metrics, MetricKind::kCounter, {"kind"});
  const std::string_view values[] = {"cup"};
  for (auto _ : state) (**metric.series(values)).add(1);
}
BENCHMARK(CountsByLabel)->Threads(1)->Threads(2);

void Observes(benchmark::State& state) {
  static CustomMetrics metrics;
  CustomSeries& series = **define(metrics, MetricKind::kHistogram, {}).series({});
  for (auto _ : state) series.observe(0.003);
}
BENCHMARK(Observes)->Threads(1)->Threads(2);

void CountsWithPrometheusCpp(benchmark::State& state) {
  static prometheus::Counter counter;
  for (auto _ : state) counter.Increment();
}
BENCHMARK(CountsWithPrometheusCpp)->Threads(1)->Threads(2);

void ObservesWithPrometheusCpp(benchmark::State& state) {
  static prometheus::Histogram histogram(kBounds);
  for (auto _ : state) histogram.Observe(0.003);
}
BENCHMARK(ObservesWithPrometheusCpp)->Threads(1)->Threads(2);

}  // namespace
}  // namespace bentohost::observe
