#include "observe/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <iterator>
#include <sstream>
#include <utility>
#include <vector>

#include "observe/custom_metrics.h"
#include "observe/process_metrics.h"
#include "observe/route_metrics.h"
#include "observe/sharded.h"

namespace bentohost::observe {
namespace {

using prometheus::Counter;
using prometheus::Family;
using prometheus::Gauge;
using prometheus::Registry;

// Finer at the lower end than HTTP's buckets: a batch of a small model takes well under 1 ms.
const std::vector<double> kRunnerSeconds{.0001, .00025, .0005, .001, .0025, .005, .01, .025,
                                         .05,   .1,     .25,   .5,   1,     2.5,  5,   10};

// Tasks call other services, send mail, write files.
const std::vector<double> kTaskSeconds{.001, .005, .01, .05, .1, .5, 1, 5, 10, 60, 300};

Family<Counter>& counter(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}
Family<Gauge>& gauge(Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

// 1, 2, 4, ... and the limit itself, so that the last bucket before +Inf means "full".
std::vector<double> batch_buckets(std::uint32_t max_batch) {
  std::vector<double> buckets;
  for (std::uint64_t rows = 1; rows < max_batch; rows *= 2) {
    buckets.push_back(static_cast<double>(rows));
  }
  buckets.push_back(max_batch == 0 ? 1.0 : static_cast<double>(max_batch));
  return buckets;
}

prometheus::Labels runner_labels(const Metrics::RunnerName& runner, const char* name,
                                 std::string value) {
  return {{"service", std::string(runner.service)},
          {"runner", std::string(runner.runner)},
          {name, std::move(value)}};
}

std::string compiler() {
#if defined(__clang__)
  return "clang " + std::to_string(__clang_major__) + '.' + std::to_string(__clang_minor__) + '.' +
         std::to_string(__clang_patchlevel__);
#else
  return "gcc " + std::to_string(__GNUC__) + '.' + std::to_string(__GNUC_MINOR__) + '.' +
         std::to_string(__GNUC_PATCHLEVEL__);
#endif
}

}  // namespace

struct Metrics::Impl {
  Registry registry;
  ProcessMetrics process;
  CustomMetrics custom;
  RouteMetricsTable routes;

  ShardedFamily<ShardedGauge> requests_in_flight{"bentohost_http_requests_in_flight",
                                                 "HTTP requests in progress."};
  ShardedGauge& in_flight = requests_in_flight.add({});
  ShardedFamily<ShardedGauge> streams{"bentohost_http_streams_open",
                                      "Responses that handlers and direct APIs are streaming."};
  ShardedGauge& open_streams = streams.add({});
  Gauge& connections =
      gauge(registry, "bentohost_http_connections", "Open HTTP connections.").Add({});
  Family<Counter>& http_rejected =
      counter(registry, "bentohost_http_rejected_total",
              "Requests and connections that the server rejected or aborted, by reason.");
  Family<Gauge>& queue_depth =
      gauge(registry, "bentohost_queue_depth", "Calls that wait for a worker of the runner.");
  Family<Gauge>& queue_bytes =
      gauge(registry, "bentohost_queue_bytes", "Bytes of input of the calls that wait.");
  ShardedFamily<ShardedHistogram> queue_wait{
      "bentohost_queue_wait_seconds",
      "From a call's submission to the start of its batch, in seconds."};
  ShardedFamily<ShardedHistogram> batch_size{"bentohost_batch_size",
                                             "Rows in a batch given to a runner."};
  ShardedFamily<ShardedHistogram> run_duration{
      "bentohost_runner_call_duration_seconds",
      "From writing a batch to a runner to reading its result, in seconds."};
  Family<Counter>& runner_calls =
      counter(registry, "bentohost_runner_calls_total", "Calls of a runner method, by result.");
  Family<Counter>& runner_results =
      counter(registry, "bentohost_runner_results_total",
              "Results that calls of a streaming runner method have sent, but for their last.");
  Family<Counter>& runner_cancels =
      counter(registry, "bentohost_runner_cancels_total",
              "Batches and calls that a worker was told to give up: nobody waits for them.");
  Family<Gauge>& arena_bytes =
      gauge(registry, "bentohost_runner_arena_bytes",
            "Bytes of memory shared with the runner's workers, for large values.");
  Family<Counter>& arena_fallbacks =
      counter(registry, "bentohost_runner_arena_fallbacks_total",
              "Large values that went through a pipe instead of shared memory, by reason.");
  Family<Gauge>& runner_up =
      gauge(registry, "bentohost_runner_up",
            "Healthy processes for this worker: 1 or 0, and 2 for a moment in a reload.");
  Family<Counter>& runner_restarts = counter(registry, "bentohost_runner_restarts_total",
                                             "Unexpected ends of a runner's workers, by reason.");
  Family<Gauge>& mount_up =
      gauge(registry, "bentohost_mount_up", "Processes of a mounted program that serve.");
  Family<Gauge>& mount_in_flight =
      gauge(registry, "bentohost_mount_requests_in_flight", "Requests that a mounted program has.");
  Family<Gauge>& mount_connections =
      gauge(registry, "bentohost_mount_connections", "Open connections to a mounted program.");
  Family<Gauge>& mount_waiting = gauge(registry, "bentohost_mount_queue_depth",
                                       "Requests that wait for a connection to a mounted program.");
  ShardedFamily<ShardedCounter> mount_requests{"bentohost_mount_requests_total",
                                               "Requests to a mounted program, by outcome."};
  Family<Counter>& mount_retries =
      counter(registry, "bentohost_mount_retries_total",
              "Requests that were sent to a mounted program once more, on a new connection.");
  ShardedFamily<ShardedHistogram> mount_to_head{
      "bentohost_mount_response_head_seconds",
      "From the start of a request to a mounted program to the head of its response, in "
      "seconds."};
  Family<Counter>& mount_restarts =
      counter(registry, "bentohost_mount_restarts_total",
              "Processes of a mounted program that were replaced, by reason.");
  ShardedFamily<ShardedCounter> fetch_requests{
      "bentohost_fetch_requests_total",
      "Requests that a service has sent to other servers, by outcome."};
  ShardedFamily<ShardedHistogram> fetch_duration{
      "bentohost_fetch_duration_seconds",
      "From the start of a request to another server to the end of its response, in seconds."};
  ShardedFamily<ShardedGauge> fetches{"bentohost_fetches_in_flight",
                                      "Requests to other servers that have no whole response yet."};
  Family<Counter>& loop_stalls =
      counter(registry, "bentohost_loop_stalls_total",
              "Calls into a plugin that held up an event loop for more than 10 ms.");
  Family<Counter>& serving_restarts = counter(registry, "bentohost_serving_restarts_total",
                                              "Unexpected ends of the serving process, by reason.");
  LoadMetrics load{
      &gauge(registry, "bentohost_handler_threads", "Threads for handlers that may wait.").Add({}),
      &gauge(registry, "bentohost_handler_queue_depth", "Requests that wait for a handler thread.")
           .Add({}),
      &gauge(registry, "bentohost_handler_queue_bytes", "Bytes of the bodies of waiting requests.")
           .Add({}),
      &gauge(registry, "bentohost_body_memory_bytes",
             "Bytes that bodies of requests take in memory; small ones are not counted.")
           .Add({})};
  Family<Gauge>& background_tasks =
      gauge(registry, "bentohost_background_tasks", "Current background tasks, by state.");
  Family<Counter>& background_results =
      counter(registry, "bentohost_background_tasks_total", "Background tasks, by result.");
  ShardedFamily<ShardedHistogram> background_duration{
      "bentohost_background_task_duration_seconds",
      "From a background task's start to its end, in seconds."};
  Family<Counter>& reloads =
      counter(registry, "bentohost_reload_total",
              "Reloads of a service's plugin: ok, unchanged, or the step that failed.");
  Family<Gauge>& generation =
      gauge(registry, "bentohost_generation", "The generation of the service that serves.");
  Family<Gauge>& generations_mapped =
      gauge(registry, "bentohost_generations_mapped",
            "Generations of the service's plugin that are in memory, ended ones included.");
  Counter& access_log_dropped = counter(registry, "bentohost_access_log_dropped_total",
                                        "Lines of the access log that were lost.")
                                    .Add({});
};

Metrics::Metrics(std::string_view version) : impl_(std::make_unique<Impl>()) {
  gauge(impl_->registry, "bentohost_build_info", "Always 1; the labels tell the version.")
      .Add({{"version", std::string(version)}, {"compiler", compiler()}})
      .Set(1);
}

Metrics::~Metrics() = default;

RouteMetrics* Metrics::route(std::string_view route) { return impl_->routes.route(route); }

ShardedGauge& Metrics::in_flight() { return impl_->in_flight; }

ShardedGauge& Metrics::open_streams() { return impl_->open_streams; }

Gauge& Metrics::connections() { return impl_->connections; }

void Metrics::count_http_rejected(std::string_view reason) {
  impl_->http_rejected.Add({{"reason", std::string(reason)}}).Increment();
}

RunnerMethodMetrics Metrics::runner_method(const RunnerName& runner, std::string_view method,
                                           std::uint32_t max_batch) {
  const prometheus::Labels labels = runner_labels(runner, "method", std::string(method));
  const auto with_result = [&labels](const char* result) {
    prometheus::Labels all = labels;
    all.emplace("result", result);
    return all;
  };
  return {&impl_->queue_depth.Add(labels),
          &impl_->queue_bytes.Add(labels),
          &impl_->queue_wait.add(labels, kRunnerSeconds),
          &impl_->batch_size.add(labels, batch_buckets(max_batch)),
          &impl_->run_duration.add(labels, kRunnerSeconds),
          &impl_->runner_calls.Add(with_result("ok")),
          &impl_->runner_calls.Add(with_result("error")),
          &impl_->runner_results.Add(labels),
          &impl_->runner_cancels.Add(labels)};
}

Gauge& Metrics::runner_up(const RunnerName& runner, std::uint32_t worker) {
  return impl_->runner_up.Add(runner_labels(runner, "worker", std::to_string(worker)));
}

ArenaMetrics Metrics::arenas(const RunnerName& runner) {
  const prometheus::Labels labels{{"service", std::string(runner.service)},
                                  {"runner", std::string(runner.runner)}};
  return {&impl_->arena_bytes.Add(labels),
          &impl_->arena_fallbacks.Add(runner_labels(runner, "reason", "limit")),
          &impl_->arena_fallbacks.Add(runner_labels(runner, "reason", "refused"))};
}

void Metrics::count_runner_restart(const RunnerName& runner, std::string_view reason) {
  impl_->runner_restarts.Add(runner_labels(runner, "reason", std::string(reason))).Increment();
}

FetchMetrics Metrics::fetches(std::string_view service) {
  const prometheus::Labels labels{{"service", std::string(service)}};
  return {&impl_->fetch_duration.add(labels, kTaskSeconds), &impl_->fetches.add(labels)};
}

ShardedCounter& Metrics::fetch_requests(std::string_view service, std::string_view outcome) {
  return impl_->fetch_requests.add(
      {{"service", std::string(service)}, {"outcome", std::string(outcome)}});
}

prometheus::Counter& Metrics::loop_stalls(std::string_view service, std::string_view api) {
  return impl_->loop_stalls.Add({{"api", std::string(api)}, {"service", std::string(service)}});
}

prometheus::Counter& Metrics::serving_restarts(std::string_view reason) {
  return impl_->serving_restarts.Add({{"reason", std::string(reason)}});
}

const LoadMetrics& Metrics::load() const { return impl_->load; }

MountMetrics Metrics::mount(std::string_view service, std::string_view mount) {
  const prometheus::Labels labels{{"service", std::string(service)}, {"mount", std::string(mount)}};
  return {&impl_->mount_up.Add(labels),
          &impl_->mount_in_flight.Add(labels),
          &impl_->mount_connections.Add(labels),
          &impl_->mount_waiting.Add(labels),
          &impl_->mount_to_head.add(labels, kTaskSeconds),
          &impl_->mount_retries.Add(labels)};
}

ShardedCounter& Metrics::mount_requests(std::string_view service, std::string_view mount,
                                        std::string_view outcome) {
  return impl_->mount_requests.add({{"service", std::string(service)},
                                    {"mount", std::string(mount)},
                                    {"outcome", std::string(outcome)}});
}

void Metrics::count_mount_restart(std::string_view service, std::string_view mount,
                                  std::string_view reason) {
  impl_->mount_restarts
      .Add({{"service", std::string(service)},
            {"mount", std::string(mount)},
            {"reason", std::string(reason)}})
      .Increment();
}

BackgroundMetrics Metrics::background() {
  const auto state = [this](const char* name) {
    return &impl_->background_tasks.Add({{"state", name}});
  };
  const auto result = [this](const char* name) {
    return &impl_->background_results.Add({{"result", name}});
  };
  return {state("queued"),  state("running"),  result("done"),
          result("failed"), result("dropped"), &impl_->background_duration.add({}, kTaskSeconds)};
}

void Metrics::count_reload(std::string_view service, std::string_view result) {
  impl_->reloads.Add({{"service", std::string(service)}, {"result", std::string(result)}})
      .Increment();
}

Gauge& Metrics::generation(std::string_view service) {
  return impl_->generation.Add({{"service", std::string(service)}});
}

Gauge& Metrics::generations_mapped(std::string_view service) {
  return impl_->generations_mapped.Add({{"service", std::string(service)}});
}

Counter& Metrics::access_log_dropped() { return impl_->access_log_dropped; }

CustomMetrics& Metrics::custom() { return impl_->custom; }

std::string Metrics::text() const {
  std::vector<prometheus::MetricFamily> families;
  const auto append = [&families](std::vector<prometheus::MetricFamily> more) {
    families.insert(families.end(), std::make_move_iterator(more.begin()),
                    std::make_move_iterator(more.end()));
  };
  impl_->routes.collect(append);
  append(impl_->registry.Collect());
  append(impl_->requests_in_flight.Collect());
  append(impl_->streams.Collect());
  for (const auto* histograms :
       {&impl_->queue_wait, &impl_->batch_size, &impl_->run_duration, &impl_->mount_to_head,
        &impl_->background_duration, &impl_->fetch_duration}) {
    append(histograms->Collect());
  }
  append(impl_->mount_requests.Collect());
  append(impl_->fetch_requests.Collect());
  append(impl_->fetches.Collect());
  append(impl_->process.Collect());
  append(impl_->custom.collect());
  std::ostringstream out;
  prometheus::TextSerializer().Serialize(out, families);
  return std::move(out).str();
}

}  // namespace bentohost::observe
