// The host's metrics, on prometheus-cpp's core (no HTTP server of its own). Names and labels are
// listed in packaging/docs/metrics.md; labels hold route templates, never raw paths. Look up a
// handle once (a lookup with labels costs up to 2 us), then use it from any thread. Handles live as
// long as the Metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace prometheus {
class Counter;
class Gauge;
class Registry;
}  // namespace prometheus

namespace bentohost::observe {

class ShardedCounter;
class ShardedGauge;
class ShardedHistogram;

// One HTTP route: bentohost_http_requests_total{method,route,code},
// bentohost_http_request_duration_seconds{method,route}, ..._request_size_bytes,
// ..._response_size_bytes.
class RouteMetrics {
 public:
  virtual void observe(std::string_view method, int code, Duration took, std::size_t request_bytes,
                       std::size_t response_bytes) = 0;

 protected:
  ~RouteMetrics() = default;
};

// One method of one runner of one service: bentohost_queue_depth, bentohost_queue_bytes,
// bentohost_queue_wait_seconds, bentohost_batch_size (rows),
// bentohost_runner_call_duration_seconds, bentohost_runner_calls_total{result},
// bentohost_runner_results_total, bentohost_runner_cancels_total.
struct RunnerMethodMetrics {
  prometheus::Gauge *queue_depth, *queue_bytes;
  ShardedHistogram* queue_wait;
  ShardedHistogram* batch_size;
  ShardedHistogram* run_duration;  // of one batch, frame written to result read
  prometheus::Counter* calls_ok;
  prometheus::Counter* calls_failed;
  prometheus::Counter* results;  // of streams, but for the last of each
  prometheus::Counter* cancels;
};

// One runner of one service, and what goes through memory that it shares with its workers:
// bentohost_runner_arena_bytes, bentohost_runner_arena_fallbacks_total{reason}.
struct ArenaMetrics {
  prometheus::Gauge* bytes;
  prometheus::Counter *limit, *refused;  // values that went through a pipe, by reason
};

// bentohost_background_tasks{state}, bentohost_background_tasks_total{result},
// bentohost_background_task_duration_seconds.
struct BackgroundMetrics {
  prometheus::Gauge *queued, *running;
  prometheus::Counter *done, *failed, *dropped;
  ShardedHistogram* duration;
};

// bentohost_handler_threads, bentohost_handler_queue_depth, bentohost_handler_queue_bytes,
// bentohost_body_memory_bytes.
struct LoadMetrics {
  prometheus::Gauge *threads, *waiting, *waiting_bytes, *body_memory;
};

// One mounted program of one service: bentohost_mount_up (processes that serve),
// bentohost_mount_requests_in_flight, bentohost_mount_connections, bentohost_mount_queue_depth,
// bentohost_mount_response_head_seconds (request begun to head of its response),
// bentohost_mount_retries_total.
struct MountMetrics {
  prometheus::Gauge *up, *in_flight, *connections, *waiting;
  ShardedHistogram* to_head;
  prometheus::Counter* retries;
};

// bentohost_fetch_duration_seconds, bentohost_fetches_in_flight of one service.
struct FetchMetrics {
  ShardedHistogram* duration;
  ShardedGauge* in_flight;
};

class CustomMetrics;

class Metrics {
 public:
  explicit Metrics(std::string_view version);
  ~Metrics();

  // The same pointer for the same route. "" is the route of requests that match none:
  // "__unmatched__".
  RouteMetrics* route(std::string_view route);
  ShardedGauge& in_flight();                          // bentohost_http_requests_in_flight
  ShardedGauge& open_streams();                       // bentohost_http_streams_open
  prometheus::Gauge& connections();                   // bentohost_http_connections
  void count_http_rejected(std::string_view reason);  // bentohost_http_rejected_total
  // A runner's name is unique only within its service.
  struct RunnerName {
    std::string_view service, runner;
  };
  RunnerMethodMetrics runner_method(const RunnerName& runner, std::string_view method,
                                    std::uint32_t max_batch);
  prometheus::Gauge& runner_up(const RunnerName& runner,
                               std::uint32_t worker);  // bentohost_runner_up
  ArenaMetrics arenas(const RunnerName& runner);
  void count_runner_restart(const RunnerName& runner, std::string_view reason);
  // `mount` is the prefix: "/", "/old".
  MountMetrics mount(std::string_view service, std::string_view mount);
  // bentohost_mount_requests_total{service,mount,outcome}
  ShardedCounter& mount_requests(std::string_view service, std::string_view mount,
                                 std::string_view outcome);
  // bentohost_mount_restarts_total{service,mount,reason}
  void count_mount_restart(std::string_view service, std::string_view mount,
                           std::string_view reason);
  BackgroundMetrics background();
  // Requests that a service sends to other servers.
  FetchMetrics fetches(std::string_view service);
  // bentohost_fetch_requests_total{service,outcome}: "2xx", or why there is no whole response.
  ShardedCounter& fetch_requests(std::string_view service, std::string_view outcome);
  // bentohost_loop_stalls_total{api,service}
  prometheus::Counter& loop_stalls(std::string_view service, std::string_view api);
  const LoadMetrics& load() const;
  // bentohost_serving_restarts_total: restarts of the serving process by its supervisor.
  prometheus::Counter& serving_restarts(std::string_view reason);
  // bentohost_reload_total{service,result}: "ok", "unchanged", or the step that failed.
  void count_reload(std::string_view service, std::string_view result);
  prometheus::Gauge& generation(std::string_view service);          // bentohost_generation
  prometheus::Gauge& generations_mapped(std::string_view service);  // bentohost_generations_mapped
  prometheus::Counter& access_log_dropped();  // bentohost_access_log_dropped_total
  CustomMetrics& custom();                    // those of the services themselves

  // The text of all metrics, "text/plain; version=0.0.4; charset=utf-8". Reads the process figures
  // at each call.
  std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

inline constexpr std::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace bentohost::observe
