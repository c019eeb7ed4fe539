#include "observe/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <string>
#include <thread>
#include <vector>

#include "base/unique_fd.h"
#include "observe/sharded.h"

namespace bentohost::observe {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

// The value of the sample whose name and labels are exactly `series`; NaN if there is none.
double sample(const std::string& text, const std::string& series) {
  const std::string start = "\n" + series + " ";
  const std::size_t at = text.find(start);
  return at == std::string::npos ? std::nan("") : std::stod(text.substr(at + start.size()));
}

void use_everything(Metrics& metrics) {
  metrics.route("/classify")->observe("POST", 200, 7ms, 19, 3);
  metrics.route("")->observe("GET", 404, 1ms, 0, 90);
  metrics.in_flight().add(1);
  const RunnerMethodMetrics method =
      metrics.runner_method({"iris_classifier", "iris_clf"}, "predict", 100);
  method.queue_depth->Set(2);
  method.queue_bytes->Set(4096);
  method.queue_wait->observe(0.001);
  method.batch_size->observe(3);
  method.run_duration->observe(0.0002);
  method.calls_ok->Increment();
  metrics.runner_up({"iris_classifier", "iris_clf"}, 0).Set(1);
  metrics.count_runner_restart({"iris_classifier", "iris_clf"}, "exited");
}

TEST(Metrics, CountsRequestsByMethodRouteAndCode) {
  Metrics metrics("1.2.3");
  RouteMetrics* route = metrics.route("/classify");
  route->observe("POST", 200, 7ms, 19, 3);
  route->observe("POST", 200, 60ms, 19, 3);
  route->observe("POST", 422, 1ms, 19, 90);
  const std::string text = metrics.text();
  EXPECT_EQ(
      sample(text, R"(bentohost_http_requests_total{code="200",method="POST",route="/classify"})"),
      2);
  EXPECT_EQ(
      sample(text, R"(bentohost_http_requests_total{code="422",method="POST",route="/classify"})"),
      1);
  const std::string labels = R"({method="POST",route="/classify")";
  EXPECT_EQ(sample(text, "bentohost_http_request_duration_seconds_count" + labels + "}"), 3);
  EXPECT_EQ(
      sample(text, "bentohost_http_request_duration_seconds_bucket" + labels + ",le=\"0.01\"}"), 2);
  EXPECT_EQ(sample(text, "bentohost_http_request_size_bytes_sum" + labels + "}"), 57);
  EXPECT_EQ(sample(text, "bentohost_http_response_size_bytes_sum" + labels + "}"), 96);
}

TEST(Metrics, GivesTheSameHandleForTheSameRoute) {
  Metrics metrics("1");
  EXPECT_EQ(metrics.route("/a"), metrics.route("/a"));
  EXPECT_NE(metrics.route("/a"), metrics.route("/b"));
}

TEST(Metrics, FoldsWhatAClientMayInvent) {
  Metrics metrics("1");
  metrics.route("")->observe("BREW", 404, 1ms, 0, 0);
  metrics.route("")->observe("get", 404, 1ms, 0, 0);
  metrics.route("")->observe("GET", 418, 1ms, 0, 0);
  metrics.route("")->observe("GET", 99999, 1ms, 0, 0);
  const std::string text = metrics.text();
  const std::string name = "bentohost_http_requests_total";
  EXPECT_EQ(sample(text, name + R"({code="404",method="OTHER",route="__unmatched__"})"), 2);
  EXPECT_EQ(sample(text, name + R"({code="418",method="GET",route="__unmatched__"})"), 1);
  EXPECT_EQ(sample(text, name + R"({code="OTHER",method="GET",route="__unmatched__"})"), 1);
}

TEST(Metrics, CountsEachRequestOnceFromManyThreads) {
  Metrics metrics("1");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&metrics] {
      for (int n = 0; n < 500; ++n) metrics.route("/x")->observe("PUT", 200 + n % 2, 1ms, 1, 1);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const std::string text = metrics.text();
  const std::string name = "bentohost_http_requests_total";
  EXPECT_EQ(sample(text, name + R"({code="200",method="PUT",route="/x"})"), 1000);
  EXPECT_EQ(sample(text, name + R"({code="201",method="PUT",route="/x"})"), 1000);
}

TEST(Metrics, ShowsZerosBeforeAnythingHappens) {
  Metrics metrics("1");
  metrics.runner_method({"iris_classifier", "iris_clf"}, "predict", 100);
  metrics.runner_up({"iris_classifier", "iris_clf"}, 1);
  const std::string text = metrics.text();
  EXPECT_EQ(sample(text, "bentohost_http_requests_in_flight"), 0);
  EXPECT_EQ(sample(text, "bentohost_access_log_dropped_total"), 0);
  EXPECT_EQ(
      sample(text,
             R"(bentohost_runner_up{runner="iris_clf",service="iris_classifier",worker="1"})"),
      0);
  for (const std::string result : {"ok", "error"}) {
    EXPECT_EQ(sample(text, R"(bentohost_runner_calls_total{method="predict",result=")" + result +
                               R"(",runner="iris_clf",service="iris_classifier"})"),
              0);
  }
}

TEST(Metrics, TellsRunnersOfOneNameOfTwoServicesApart) {
  Metrics metrics("1");
  metrics.runner_method({"a", "clf"}, "predict", 8).calls_ok->Increment();
  metrics.runner_method({"b", "clf"}, "predict", 8).calls_ok->Increment(2);
  metrics.count_runner_restart({"b", "clf"}, "SIGKILL");
  metrics.runner_up({"a", "clf"}, 0).Set(1);
  metrics.runner_up({"b", "clf"}, 0).Set(0);
  const std::string text = metrics.text();
  const std::string calls =
      R"(bentohost_runner_calls_total{method="predict",result="ok",runner="clf",service=")";
  EXPECT_EQ(sample(text, calls + R"(a"})"), 1);
  EXPECT_EQ(sample(text, calls + R"(b"})"), 2);
  EXPECT_EQ(sample(text, R"(bentohost_runner_up{runner="clf",service="a",worker="0"})"), 1);
  EXPECT_EQ(sample(text, R"(bentohost_runner_up{runner="clf",service="b",worker="0"})"), 0);
}

TEST(Metrics, EndsTheBatchBucketsAtTheLargestBatch) {
  Metrics metrics("1");
  metrics.runner_method({"s", "r"}, "m", 100).batch_size->observe(100);
  metrics.runner_method({"s", "one"}, "m", 1).batch_size->observe(1);
  const std::string text = metrics.text();
  const std::string start = R"(bentohost_batch_size_bucket{method="m",runner=")";
  EXPECT_EQ(sample(text, start + R"(r",service="s",le="64"})"), 0);
  EXPECT_EQ(sample(text, start + R"(r",service="s",le="100"})"), 1);
  EXPECT_THAT(text, Not(HasSubstr(R"(runner="r",service="s",le="128")")));
  EXPECT_EQ(sample(text, start + R"(one",service="s",le="1"})"), 1);
}

TEST(Metrics, SaysWhatIsRunning) {
  EXPECT_THAT(Metrics("1.2.3").text(),
              testing::ContainsRegex("\nbentohost_build_info[{]compiler=\"(gcc|clang) "
                                     "[0-9.]+\",version=\"1.2.3\"[}] 1\n"));
}

TEST(Metrics, EscapesARouteTemplateInItsLabel) {
  Metrics metrics("1");
  metrics.route("/a\"\n\\b")->observe("GET", 200, 1ms, 0, 0);
  EXPECT_THAT(metrics.text(), HasSubstr(R"(route="/a\"\n\\b")"));
}

TEST(Metrics, ReadsTheProcessAtEachCall) {
  const Metrics metrics("1");
  const double before = sample(metrics.text(), "process_open_fds");
  const UniqueFd one_more(::dup(STDERR_FILENO));
  const std::string text = metrics.text();
  EXPECT_EQ(sample(text, "process_open_fds"), before + 1);
  EXPECT_GT(sample(text, "process_max_fds"), 2);
  EXPECT_GE(sample(text, "process_cpu_seconds_total"), 0);
  EXPECT_GT(sample(text, "process_resident_memory_bytes"), 1e6);
  EXPECT_GT(sample(text, "process_virtual_memory_bytes"), 1e6);
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  EXPECT_NEAR(sample(text, "process_start_time_seconds"), now, 3600);
}

TEST(Metrics, PassPrometheusOwnLint) {
  if (::system("promtool --version >/dev/null 2>&1") != 0) GTEST_SKIP() << "no promtool on PATH";
  Metrics metrics("1.2.3");
  use_everything(metrics);
  const std::string text = metrics.text();
  FILE* promtool = ::popen("promtool check metrics 1>&2", "w");
  ASSERT_NE(promtool, nullptr);
  EXPECT_EQ(::fwrite(text.data(), 1, text.size(), promtool), text.size());
  const int status = ::pclose(promtool);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0) << text;
}

}  // namespace
}  // namespace bentohost::observe
