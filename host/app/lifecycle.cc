#include "app/lifecycle.h"

#include <prometheus/counter.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <future>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "app/signals.h"
#include "app/staging.h"
#include "base/crash_report.h"
#include "base/event_loop.h"
#include "base/log.h"
#include "base/signal_stack.h"
#include "http/last_words.h"
#include "http/server.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "service/background.h"
#include "service/dispatcher.h"

namespace bentohost::app {
namespace {

// After the requests: what the runners get to end by themselves.
constexpr Duration kRunnerExitTime = std::chrono::seconds(2);
// After their connections were cut: what handlers get to notice it.
constexpr Duration kHandlerExitTime = std::chrono::seconds(1);
// Beyond all of these: for on_shutdown and destroy.
constexpr Duration kLastGrace = std::chrono::seconds(10);
// In a hand-over: what streams without an end get to end whole, when all others had their time; and
// their connections after them, which have a second's patience with clients.
constexpr Duration kStreamEndTime = std::chrono::seconds(3);
// Pipes, listeners, plugins' own.
constexpr std::size_t kOtherDescriptors = 1024;
constexpr Duration kSlowStart = std::chrono::seconds(10);

// The usual soft limit of 1024 descriptors is for programs that use select().
void make_room_for(std::size_t descriptors) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= descriptors) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, descriptors);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// [signal handler]
void end_in_a_crash(int signal) {
  http::end_connections();
  supervise::Overseer::crashing(signal);
}

class Lifecycle {
 public:
  Lifecycle(const Config& config, std::string exe, supervise::Overseer& overseer)
      : config_(config),
        exe_(std::move(exe)),
        overseer_(overseer),
        metrics_(BENTO_VERSION),
        environment_{clock_, metrics_},
        background_({config.background_threads, config.max_background, config.timeout}, clock_,
                    metrics_),
        dispatcher_(environment_),
        loops_(make_loops()),
        threads_(config.threads, std::thread::hardware_concurrency() + 2) {
    if (config.access_log) {
      access_log_ = std::make_unique<observe::AccessLog>(
          STDOUT_FILENO, config.log_format, [this](std::size_t lines) {
            metrics_.access_log_dropped().Increment(static_cast<double>(lines));
          });
    }
    environment_.access_log = access_log_.get();
    environment_.timeout = config.timeout;
    environment_.debug = config.debug;
    environment_.max_in_flight = config.max_in_flight;
    environment_.threads = &threads_;
    environment_.background = &background_;
    for (const auto& [reason, count] : overseer.restarts()) {
      metrics_.serving_restarts(reason).Increment(count);
    }
  }

  // Up to where requests are accepted and runners are starting. On error, what was begun is undone.
  Status start(std::vector<http::Listener> listeners) {
    // The port first: it is the cheapest thing to find taken.
    if (Status status = open_server(std::move(listeners)); !status.ok()) return status;
    auto staged = stage_plugins(config_, exe_);
    if (!staged.ok()) return std::move(staged).take_status();
    services_ = std::move(staged->served);
    around_ = std::move(staged->around);

    service::RunnerOptions runners{exe_, config_.runner_workers, config_.runner_workers_of,
                                   config_.max_queue};
    if (Status status = check_runner_names(); !status.ok()) return status;
    for (const auto& service : around_) {
      if (Status status = service->start(runners, loops_, clock_, metrics_); !status.ok())
        return status;
    }
    for (const auto& service : services_) {
      if (Status status = service->start(runners, loops_, clock_, metrics_); !status.ok())
        return status;
      if (Status status = dispatcher_.add(*service, around(service->spec().name)); !status.ok())
        return status;
    }
    for (const auto& loop : loops_) loop->start();
    overseer_.watch(loops_);
    for (const auto& service : services_) service->start_runners();
    dispatcher_.set_started();
    if (!overseer_.takes_over()) server_->serve();
    return {};
  }

  // Waits for the runners, says so, and returns with the first signal.
  int wait() {
    const TimePoint slow_at = clock_.now() + kSlowStart;
    bool said_slow = false;
    for (Status status = dispatcher_.readiness(); !status.ok(); status = dispatcher_.readiness()) {
      if (!said_slow && clock_.now() > slow_at) {
        said_slow = true;
        log_warning("not ready yet: " + status.message());
      }
      const Duration pause = std::chrono::milliseconds(said_slow ? 200 : 1);
      if (const int signal = wait_for_signal(pause); is_stop_signal(signal)) return signal;
    }
    {
      const ExitOnSignal while_starting;
      for (const auto* services : {&around_, &services_}) {
        for (const auto& service : *services) {
          if (Status status = service->ready(); !status.ok()) log_error(status.message());
        }
      }
    }
    if (overseer_.takes_over()) server_->serve();
    announce();
    overseer_.ready("serving at " + urls());
    int signal = wait_for_signal(Duration::max());
    for (; !is_stop_signal(signal); signal = wait_for_signal(Duration::max())) read_again();
    return signal;
  }

  void stop(int signal) {
    const bool hands_over = signal == supervise::Overseer::kHandOver;
    log_info(hands_over ? "handing over" : "stopping",
             {{"signal", hands_over         ? "SIGUSR2"
                         : signal == SIGINT ? "SIGINT"
                                            : "SIGTERM"},
              {"in_flight", std::to_string(environment_.in_flight.load())}});
    exit_on_next_signal(config_.drain_delay + config_.graceful_timeout + kLastGrace);
    if (!hands_over) begin_stop();
    const TimePoint deadline = clock_.now() + config_.graceful_timeout;
    environment_.draining = !hands_over;
    if (hands_over) server_->stop_accepting();
    server_->drain();
    if (hands_over) {
      await_last_requests(deadline - std::min(kStreamEndTime, config_.graceful_timeout / 2));
      environment_.draining = true;
    }
    // The listener stays open while there is work, so that health probes see that we are going.
    while (environment_.in_flight.load() != 0 && clock_.now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    if (const std::size_t cut = server_->stop(deadline); cut != 0) {
      log_warning("connections were cut at the end of --timeout-graceful-shutdown",
                  {{"connections", std::to_string(cut)}});
    }
    const bool handlers_stuck = threads_.stop(clock_.now() + kHandlerExitTime) != 0;
    let_loops_turn();  // what handlers answered last is out, and its tasks are known
    const bool tasks_stuck = !background_.stop(deadline, kHandlerExitTime);
    const bool stuck = handlers_stuck || tasks_stuck;
    stop_services(stuck);
    // A handler that never returned may still be looking at anything here.
    if (stuck) {
      access_log_.reset();
      ::_exit(0);
    }
  }

  void begin_stop() {
    overseer_.stopping();
    environment_.stopping = true;
    if (config_.drain_delay > Duration::zero()) std::this_thread::sleep_for(config_.drain_delay);
  }

  // Another process has the new connections; what still comes on the old ones is served here, and
  // each of them ends with its next answer or when it has been silent for a moment.
  void await_last_requests(TimePoint deadline) const {
    while (server_->open_connections() != 0 && clock_.now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }

  void stop_services(bool are_in_use = false) {
    for (const auto& service : services_) {
      service->stop(clock_.now() + kRunnerExitTime, are_in_use);
    }
    for (const auto& service : around_) service->stop(clock_.now(), are_in_use);
    for (const auto& loop : loops_) loop->stop();
  }

 private:
  http::Server::Loops make_loops() const {
    http::Server::Loops loops;
    for (std::size_t i = 0; i < config_.loops; ++i) {
      loops.push_back(std::make_shared<EventLoop>(clock_));
    }
    return loops;
  }

  // `listeners` are the supervisor's; without one they are opened here.
  Status open_server(std::vector<http::Listener> listeners) {
    http::ServerOptions options;
    options.limits = config_.limits;
    options.proxies = config_.forwarded_allow_ips;
    if (!config_.tls.certfile.empty()) {
      auto tls = http::TlsContext::create(config_.tls);
      if (!tls.ok()) return std::move(tls).take_status().prefixed("TLS: ");
      options.tls = tls_ = *std::move(tls);
    }
    if (!overseer_.is_supervisor()) {
      auto opened = http::open_listeners(config_.doors());
      if (!opened.ok()) return std::move(opened).take_status();
      listeners = *std::move(opened);
    }
    server_ = std::make_unique<http::Server>(std::move(options), dispatcher_, loops_);
    server_->listen(std::move(listeners));
    return {};
  }

  // SIGHUP.
  void read_again() {
    if (tls_ == nullptr) return log_info("SIGHUP: there are no certificates to read again");
    if (Status status = tls_->reload(); !status.ok()) {
      return log_error("SIGHUP: the old certificate stays: " + status.message());
    }
    log_info("SIGHUP: new connections get the certificate as it is now");
  }

  // Returns when each loop has done what it was asked for before.
  void let_loops_turn() const {
    for (const auto& loop : loops_) {
      const auto turned = std::make_shared<std::promise<void>>();
      loop->post([turned] { turned->set_value(); });
      turned->get_future().wait_for(kHandlerExitTime);
    }
  }

  // What --use puts around a service.
  std::vector<const service::LiveService*> around(const std::string& name) const {
    std::vector<const service::LiveService*> all;
    for (std::size_t i = 0; i < around_.size(); ++i) {
      const std::string& wanted = config_.uses[i].service;
      if (wanted.empty() || wanted == name) all.push_back(around_[i].get());
    }
    return all;
  }

  std::string urls() const {
    std::string all;
    for (const std::string& url : server_->urls()) all += (all.empty() ? "" : ", ") + url;
    return all;
  }

  Status check_runner_names() const {
    for (const auto& [name, workers] : config_.runner_workers_of) {
      const bool known =
          std::any_of(services_.begin(), services_.end(), [&, &runner = name](const auto& service) {
            return service->spec().find_runner(runner) != nullptr;
          });
      if (!known)
        return Status(BENTO_INVALID_ARGUMENT, "--runner-workers " + name + "=" +
                                                  std::to_string(workers) +
                                                  ": there is no such runner");
    }
    return {};
  }

  // One line on stdout, whatever the log level: people and scripts wait for it.
  void announce() {
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(clock_.now() - begun_);
    std::string names;
    for (const auto& service : services_) {
      names += (names.empty() ? "" : ", ") + service->spec().name;
      if (!service->spec().version.empty()) names += " " + service->spec().version;
    }
    std::string line;
    if (config_.log_format == LogFormat::kJson) {
      line = "{\"time\":\"";
      append_timestamp(line);
      line +=
          "\",\"level\":\"info\",\"message\":\"ready\",\"url\":\"" + urls() + "\",\"services\":\"";
      append_json_escaped(line, names);
      line += "\",\"took_ms\":" + std::to_string(took.count()) + "}\n";
    } else {
      line = "bentohost " BENTO_VERSION " serves " + names + " at " + urls() + " (ready in " +
             std::to_string(took.count()) + " ms)\n";
    }
    [[maybe_unused]] const ssize_t n = ::write(STDOUT_FILENO, line.data(), line.size());
  }

  const Config& config_;
  const std::string exe_;
  supervise::Overseer& overseer_;
  SteadyClock clock_;
  const TimePoint begun_ = clock_.now();
  observe::Metrics metrics_;
  std::unique_ptr<observe::AccessLog> access_log_;
  service::Environment environment_;
  std::vector<std::unique_ptr<service::LiveService>> services_, around_;
  service::Background background_;
  service::Dispatcher dispatcher_;
  const http::Server::Loops loops_;        // after the services: their callbacks end before they do
  std::shared_ptr<http::TlsContext> tls_;  // null: none
  std::unique_ptr<http::Server> server_;
  ThreadPool threads_;
};

}  // namespace

int serve(const Config& config, const std::string& exe, supervise::Overseer& overseer) {
  block_signals(overseer.is_supervisor());
  make_room_for(config.limits.max_connections + kOtherDescriptors);
  configure_log(config.log_level, config.log_format, "host");
  const SignalStack for_crashes;
  http::prepare_last_words();
  install_crash_report(config.log_format, "host", {&http::speak_last_words, &end_in_a_crash});
  auto listeners = overseer.take_listeners();
  overseer.start(&request_signal);
  Lifecycle lifecycle(config, exe, overseer);
  Status status;
  {
    const ExitOnSignal while_starting;
    status = listeners.ok() ? lifecycle.start(*std::move(listeners))
                            : std::move(listeners).take_status();
  }
  if (!status.ok()) {
    exit_on_next_signal(kLastGrace);
    lifecycle.stop_services();
    std::fprintf(stderr, "bentohost: %s\n", status.message().c_str());
    return 1;
  }
  lifecycle.stop(lifecycle.wait());
  return 0;
}

}  // namespace bentohost::app
