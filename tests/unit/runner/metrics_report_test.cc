#include "runner/metrics_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include <sstream>

namespace bentohost::runner {
namespace {

using observe::CustomMetrics;
using observe::MetricKind;
using testing::HasSubstr;

class MetricsReportTest : public testing::Test {
 protected:
  std::string text() const {
    std::ostringstream out;
    prometheus::TextSerializer().Serialize(out, host.collect());
    return out.str();
  }
  Status apply(std::string_view report, std::uint32_t index = 0) {
    return apply_report(report, {service, runner, index, this}, host);
  }
  static observe::CustomSeries& series(CustomMetrics& metrics, MetricKind kind, std::string name,
                                       std::vector<double> bounds = {}) {
    auto metric = metrics.define({"iris", "clf", {}},
                                 {kind, std::move(name), "Help.", {"kind"}, std::move(bounds)});
    const std::string_view values[] = {"x"};
    return **(*metric)->series(values);
  }

  const std::string service = "iris", runner = "clf";
  CustomMetrics worker, host;
};

TEST_F(MetricsReportTest, CountsOfTwoWorkersAreAddedUpAndGaugesAreNot) {
  CustomMetrics other;
  for (CustomMetrics* one : {&worker, &other}) {
    series(*one, MetricKind::kCounter, "a_total").add(1.5);
    series(*one, MetricKind::kGauge, "level").set(7);
    series(*one, MetricKind::kHistogram, "sizes", {1, 10}).observe(5);
  }
  EXPECT_TRUE(apply(take_report(worker)).ok());
  series(worker, MetricKind::kCounter, "a_total").add(1);
  EXPECT_TRUE(apply(take_report(worker)).ok());
  EXPECT_TRUE(apply(take_report(other), 1).ok());
  EXPECT_EQ(take_report(other), "[]");

  EXPECT_THAT(text(), HasSubstr("a_total{service=\"iris\",runner=\"clf\",kind=\"x\"} 4\n"));
  EXPECT_THAT(text(),
              HasSubstr("level{service=\"iris\",runner=\"clf\",worker=\"0\",kind=\"x\"} 7\n"
                        "level{service=\"iris\",runner=\"clf\",worker=\"1\",kind=\"x\"} 7\n"));
  EXPECT_THAT(text(), HasSubstr("sizes_sum{service=\"iris\",runner=\"clf\",kind=\"x\"} 10\n"));
  EXPECT_THAT(text(), HasSubstr("kind=\"x\",le=\"1\"} 0\n"));
  EXPECT_THAT(text(), HasSubstr("kind=\"x\",le=\"10\"} 2\n"));

  forget_worker({service, runner, 1, this}, host);
  EXPECT_THAT(text(), testing::Not(HasSubstr("worker=\"1\"")));
  EXPECT_THAT(text(), HasSubstr("worker=\"0\""));
}

TEST_F(MetricsReportTest, ALongReportComesInParts) {
  std::vector<double> bounds;
  for (int i = 0; i < 100; ++i) bounds.push_back(i);
  auto metric = worker.define({"iris", "clf", {}},
                              {MetricKind::kHistogram, "a", "Help.", {"kind"}, std::move(bounds)});
  for (int i = 0; i < 1000; ++i) {
    const std::string value = std::to_string(i) + std::string(100, 'x');
    const std::string_view values[] = {value};
    (*(*metric)->series(values))->observe(i % 4);
  }
  int reports = 0;
  for (; worker.has_changes(); ++reports) {
    const std::string report = take_report(worker);
    EXPECT_LT(report.size(), 300u << 10);
    EXPECT_TRUE(apply(report).ok());
  }
  EXPECT_GT(reports, 1);
  std::size_t series = 0;
  for (const auto& family : host.collect()) series += family.metric.size();
  EXPECT_EQ(series, 1000u);
}

TEST_F(MetricsReportTest, AMalformedPartIsNamedAndTheRestCounted) {
  const std::string good =
      R"({"kind":1,"name":"a_total","help":"Help.","labels":[],"bounds":[],"values":[],"value":2,"counts":[]})";
  EXPECT_EQ(apply("[{}," + good + "]").message(), "the report is malformed");
  EXPECT_THAT(text(), HasSubstr("a_total{service=\"iris\",runner=\"clf\"} 2\n"));
  for (
      const char* report :
      {"", "{}", "[1]", R"([{"kind":1}])",
       R"([{"kind":9,"name":"b_total","help":"H","labels":[],"bounds":[],"values":[],"value":2,"counts":[]}])",
       R"([{"kind":1,"name":"b_total","help":"H","labels":[1],"bounds":[],"values":[],"value":2,"counts":[]}])",
       R"([{"kind":1,"name":"b_total","help":"H","labels":[],"bounds":[],"values":["x"],"value":2,"counts":[]}])",
       R"([{"kind":3,"name":"b","help":"H","labels":[],"bounds":[],"values":[],"value":2,"counts":[1]}])",
       R"([{"kind":1,"name":"process_x_total","help":"H","labels":[],"bounds":[],"values":[],"value":2,"counts":[]}])"}) {
    EXPECT_EQ(apply(report).code(), BENTO_INVALID_ARGUMENT) << report;
  }
  EXPECT_EQ(apply("[" + std::string(1u << 20, ' ') + "]").message(), "the report is too long");
  // Counts that do not fit the buckets count nothing.
  EXPECT_TRUE(apply(R"([{"kind":3,"name":"c","help":"H","labels":[],"bounds":[1],"values":[],)"
                    R"("value":2,"counts":[1]}])")
                  .ok());
  EXPECT_THAT(text(), HasSubstr("c_count{service=\"iris\",runner=\"clf\"} 0\n"));
}

}  // namespace
}  // namespace bentohost::runner
