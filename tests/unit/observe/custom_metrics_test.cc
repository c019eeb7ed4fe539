#include "observe/custom_metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <cmath>
#include <limits>
#include <sstream>
#include <thread>

namespace bentohost::observe {
namespace {

using testing::HasSubstr;
using testing::Not;

MetricDefinition counter(std::string name, std::vector<std::string> labels = {}) {
  return {MetricKind::kCounter, std::move(name), "Help.", std::move(labels), {}};
}

class CustomMetricsTest : public testing::Test {
 protected:
  CustomMetric& define(MetricDefinition definition, const MetricScope& scope = {"iris", {}, {}}) {
    auto metric = metrics.define(scope, std::move(definition));
    EXPECT_TRUE(metric.ok()) << metric.status().message();
    return **metric;
  }
  static CustomSeries& series(CustomMetric& metric, std::vector<std::string_view> values = {}) {
    return **metric.series(values);
  }
  std::string refusal(MetricDefinition definition) {
    const auto metric = metrics.define({"iris", {}, {}}, std::move(definition));
    return metric.ok() ? "" : metric.status().message();
  }
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, metrics.collect());
    return out.str();
  }

  CustomMetrics metrics;
};

TEST_F(CustomMetricsTest, ACounterWithoutLabelsIsThereFromTheStart) {
  CustomMetric& made = define(counter("made_total"));
  EXPECT_THAT(text(), HasSubstr("# HELP made_total Help.\n# TYPE made_total counter\n"
                                "made_total{service=\"iris\"} 0\n"));
  series(made).add(2);
  series(made).add(0.5);
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\"} 2.5\n"));
}

TEST_F(CustomMetricsTest, EachKindTakesWhatIsItsOwn) {
  CustomSeries& made = series(define(counter("made_total")));
  CustomSeries& level = series(define({MetricKind::kGauge, "level", "Help.", {}, {}}));
  CustomSeries& sizes = series(define({MetricKind::kHistogram, "sizes", "Help.", {}, {1, 10}}));
  for (CustomSeries* one : {&made, &level, &sizes}) {
    one->add(-3);
    one->add(std::numeric_limits<double>::quiet_NaN());
    one->set(std::numeric_limits<double>::infinity());
  }
  level.set(5);
  level.add(-2);
  made.set(7);
  made.observe(7);
  for (const double value : {0.5, 1.0, 2.0, 11.0}) sizes.observe(value);
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\"} 0\n"));
  EXPECT_THAT(text(), HasSubstr("level{service=\"iris\"} 3\n"));
  EXPECT_THAT(text(), HasSubstr("sizes_count{service=\"iris\"} 4\n"));
  EXPECT_THAT(text(), HasSubstr("sizes_sum{service=\"iris\"} 14.5\n"));
  EXPECT_THAT(text(), HasSubstr("sizes_bucket{service=\"iris\",le=\"1\"} 2\n"));
  EXPECT_THAT(text(), HasSubstr("sizes_bucket{service=\"iris\",le=\"10\"} 3\n"));
  EXPECT_THAT(text(), HasSubstr("sizes_bucket{service=\"iris\",le=\"+Inf\"} 4\n"));
}

TEST_F(CustomMetricsTest, LabelsAreEscapedAndKeptApart) {
  CustomMetric& made = define(counter("made_total", {"kind", "color"}));
  series(made, {"a\"b\n", "red"}).add(1);
  series(made, {"", "red"}).add(2);
  EXPECT_THAT(text(),
              HasSubstr("made_total{service=\"iris\",kind=\"a\\\"b\\n\",color=\"red\"} 1\n"));
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\",kind=\"\",color=\"red\"} 2\n"));
  EXPECT_EQ(made.series({}).status().message(),
            "the metric made_total has 2 labels, and was given 0 values");
}

TEST_F(CustomMetricsTest, BeyondTheLimitOtherIsCounted) {
  CustomMetric& made = define(counter("made_total", {"kind"}));
  for (std::size_t i = 0; i < CustomMetric::kMaxSeries; ++i) {
    series(made, {std::to_string(i)}).add(1);
  }
  series(made, {"one more"}).add(1);
  series(made, {"and one more"}).add(1);
  series(made, {"0"}).add(4);
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\",kind=\"other\"} 2\n"));
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\",kind=\"0\"} 5\n"));
  EXPECT_THAT(text(), Not(HasSubstr("more\"")));
}

TEST_F(CustomMetricsTest, ValuesThatNoScraperTakesAreOther) {
  CustomMetric& made = define(counter("made_total", {"kind"}));
  series(made, {std::string(CustomMetric::kMaxLabelLength + 1, 'x')}).add(1);
  series(made, {"\xFF"}).add(1);
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\",kind=\"other\"} 2\n"));
}

TEST_F(CustomMetricsTest, RefusesWhatPrometheusDoesNotTake) {
  EXPECT_THAT(refusal(counter("9_total")), HasSubstr("\"9_total\" is no name of a metric"));
  EXPECT_THAT(refusal(counter("made")), HasSubstr("the name of a counter ends with _total"));
  EXPECT_THAT(refusal({MetricKind::kGauge, "a_total", "Help.", {}, {}}),
              HasSubstr("only the name of a counter ends with _total"));
  EXPECT_THAT(refusal({MetricKind::kGauge, "a_bucket", "Help.", {}, {}}), HasSubstr("_bucket"));
  EXPECT_THAT(refusal(counter("bentohost_x_total")), HasSubstr("bentohost_ are the host's"));
  EXPECT_THAT(refusal(counter("a_total", {"le"})), HasSubstr("the label le is taken"));
  EXPECT_THAT(refusal(counter("a_total", {"service"})), HasSubstr("the label service is taken"));
  EXPECT_THAT(refusal(counter("a_total", {"a", "a"})), HasSubstr("the label a is there twice"));
  EXPECT_THAT(refusal(counter("a_total", {"__a"})), HasSubstr("\"__a\" is no name of a label"));
  EXPECT_THAT(refusal(counter("a_total", std::vector<std::string>(17, "a"))),
              HasSubstr("more than 16 labels"));
  EXPECT_THAT(refusal({MetricKind::kCounter, "a_total", "", {}, {}}), HasSubstr("no help text"));
  EXPECT_THAT(refusal({MetricKind::kCounter, "a_total", "Help.", {}, {1}}),
              HasSubstr("only a histogram has buckets"));
  EXPECT_THAT(refusal({MetricKind::kHistogram, "a", "Help.", {}, {}}), HasSubstr("1 to 200"));
  EXPECT_THAT(refusal({MetricKind::kHistogram, "a", "Help.", {}, {1, 1}}), HasSubstr("not grow"));
  EXPECT_THAT(refusal({MetricKind::kHistogram, "a", "Help.", {}, {INFINITY}}),
              HasSubstr("not finite"));
  EXPECT_EQ(text(), "");
  EXPECT_FALSE(metrics.is_used());
}

TEST_F(CustomMetricsTest, OneNameIsOneDefinitionForAllServices) {
  series(define(counter("made_total"))).add(1);
  series(define(counter("made_total"), {"lab", {}, {}})).add(2);
  EXPECT_EQ(&define(counter("made_total")), &define(counter("made_total")));
  EXPECT_THAT(text(), HasSubstr("made_total{service=\"iris\"} 1\nmade_total{service=\"lab\"} 2\n"));
  EXPECT_THAT(refusal(counter("made_total", {"kind"})),
              HasSubstr("the metric made_total is there already, with other labels"));
  MetricDefinition reworded = counter("made_total");
  reworded.help = "Better help.";
  define(std::move(reworded));
  EXPECT_THAT(text(), HasSubstr("# HELP made_total Help.\n"));
}

TEST_F(CustomMetricsTest, AServiceHasALimitedNumberOfMetrics) {
  for (std::size_t i = 0; i < CustomMetrics::kMaxMetrics; ++i) {
    define(counter("a" + std::to_string(i) + "_total"));
  }
  EXPECT_THAT(refusal(counter("b_total")), HasSubstr("iris has 256 metrics already"));
  define(counter("b_total"), {"lab", {}, {}});
  define(counter("a0_total"), {"iris", "clf", {}});
}

// ---- changes ----

struct Change {
  std::string name, values;
  double value;
  std::vector<std::uint64_t> counts;
};

std::vector<Change> take(CustomMetrics& metrics, std::size_t most = 1000) {
  std::vector<Change> all;
  metrics.take_changes([&](const MetricDefinition& definition, std::span<const std::string> values,
                           const SeriesChange& change) {
    std::string joined;
    for (const std::string& value : values) joined += value + ";";
    all.push_back({definition.name, joined, change.value, change.counts});
    return all.size() < most;
  });
  return all;
}

TEST_F(CustomMetricsTest, ChangesAreTakenOnce) {
  CustomSeries& made = series(define(counter("a_total", {"kind"})), {"x"});
  CustomSeries& level = series(define({MetricKind::kGauge, "level", "Help.", {}, {}}));
  CustomSeries& sizes = series(define({MetricKind::kHistogram, "sizes", "Help.", {}, {1, 10}}));
  EXPECT_FALSE(metrics.has_changes());
  EXPECT_TRUE(take(metrics).empty()) << "nothing has been counted";

  made.add(2);
  level.set(4);
  sizes.observe(5);
  EXPECT_TRUE(metrics.has_changes());
  EXPECT_EQ(take(metrics).size(), 3u);
  made.add(3);
  sizes.observe(50);
  level.add(1);
  const std::vector<Change> changes = take(metrics);
  ASSERT_EQ(changes.size(), 3u);
  EXPECT_EQ(changes[0].values, "x;");
  EXPECT_EQ(changes[0].value, 3);
  EXPECT_EQ(changes[1].value, 5) << "of a gauge, its value";
  EXPECT_EQ(changes[2].value, 50);
  EXPECT_THAT(changes[2].counts, testing::ElementsAre(0, 0, 1));
}

TEST_F(CustomMetricsTest, WhatWasNotTakenIsLeftForTheNextTime) {
  CustomMetric& made = define(counter("a_total", {"kind"}));
  for (const char* kind : {"x", "y", "z"}) series(made, {kind}).add(1);
  EXPECT_EQ(take(metrics, 2).size(), 2u);
  EXPECT_TRUE(metrics.has_changes());
  EXPECT_EQ(take(metrics).size(), 1u);
}

TEST_F(CustomMetricsTest, CountsOfManyThreadsAreAllTaken) {
  CustomMetric& made = define(counter("a_total", {"kind"}));
  std::atomic<bool> is_over = false;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 5000; ++i) series(made, {std::to_string(i % 7)}).add(1);
    });
  }
  double all = 0;
  std::thread taker([&] {
    while (!is_over) {
      for (const Change& change : take(metrics)) all += change.value;
    }
  });
  for (std::thread& thread : threads) thread.join();
  is_over = true;
  taker.join();
  for (const Change& change : take(metrics)) all += change.value;
  EXPECT_EQ(all, 20000);
}

TEST_F(CustomMetricsTest, AWorkersGaugesGoWithIt) {
  const MetricScope scope{"iris", "clf", "0"};
  const auto gauge = [] { return MetricDefinition{MetricKind::kGauge, "level", "Help.", {}, {}}; };
  const int first = 0, second = 0;
  metrics.set_source(define(gauge(), scope), &first);
  series(define(gauge(), scope)).set(3);
  EXPECT_THAT(text(), HasSubstr("level{service=\"iris\",runner=\"clf\",worker=\"0\"} 3\n"));
  metrics.set_source(define(gauge(), scope), &second);
  metrics.drop(scope, &first);
  EXPECT_THAT(text(), HasSubstr("worker=\"0\"} 3\n")) << "the next worker has taken it over";
  metrics.drop(scope, &second);
  EXPECT_EQ(text(), "");
}

}  // namespace
}  // namespace bentohost::observe
