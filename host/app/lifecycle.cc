#include "app/lifecycle.h"

#include <poll.h>
#include <prometheus/counter.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "app/admin.h"
#include "app/ready_line.h"
#include "app/service_options.h"
#include "app/signals.h"
#include "base/log.h"
#include "base/loop/event_loop.h"
#include "base/process/clean_pages.h"
#include "base/process/crash_report.h"
#include "base/process/exits.h"
#include "base/process/launch.h"
#include "base/process/signal_stack.h"
#include "base/process/user_output.h"
#include "http/client/client.h"
#include "http/server/crash_responses.h"
#include "http/server/server.h"
#include "observe/access_log.h"
#include "observe/metrics.h"
#include "reload/reloader.h"
#include "reload/service_table.h"
#include "reload/watcher.h"
#include "runner_rpc/runner_server.h"
#include "service/background.h"
#include "service/routing/dispatcher.h"

namespace bentohost::app {
namespace {

// After the requests: how long services may take to end their runners, on_shutdown and destroy.
constexpr Duration kServiceExitTime = std::chrono::seconds(10);
// After their connections were cut: how long handlers may take to notice.
constexpr Duration kHandlerExitTime = std::chrono::seconds(1);
// How long the end may take beyond all of these.
constexpr Duration kLastGrace = std::chrono::seconds(10);
// In a hand-over: the time at the end for endless streams, and for their connections to close.
constexpr Duration kStreamEndTime = std::chrono::seconds(3);
// Pipes, listeners, and the plugins' own descriptors.
constexpr std::size_t kOtherDescriptors = 1024;
constexpr int kLastLookMs = 5;
// A tick of all runner pools costs about a microsecond.
constexpr Duration kBetweenTicks = std::chrono::milliseconds(1);
// Between log lines while runners start: doubled with each line up to the longest.
constexpr Duration kFirstSilence = std::chrono::seconds(1),
                   kLongestSilence = std::chrono::minutes(1);
// EX_CONFIG of sysexits.h: trying again is useless.
constexpr int kExitFailed = 1, kExitConfig = 78;

// The usual soft limit of 1024 descriptors is meant for programs that use select().
void make_room_for(std::size_t descriptors) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= descriptors) return;
  limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, descriptors);
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

// [signal handler]
void end_in_a_crash() {
  // The loops still run: requests that have arrived but were not seen yet are answered 503 as well.
  ::poll(nullptr, 0, kLastLookMs);
  http::end_connections();
}

class Lifecycle {
 public:
  Lifecycle(const Config& config, std::string exe, supervise::SupervisorClient& supervisor,
            UserOutput& output)
      : config_(config),
        exe_(std::move(exe)),
        supervisor_(supervisor),
        output_(output),
        metrics_(BENTO_VERSION),
        body_memory_(config.max_body_memory),
        request_deps_{clock_, metrics_},
        background_({config.background_threads, config.max_background, config.timeout}, clock_,
                    metrics_),
        dispatcher_(request_deps_),
        loops_(make_loops()),
        launcher_(std::make_shared<EventLoop>(clock_)),
        services_(service_table_options(config, exe_, [this] { return runner_environment(); }),
                  {request_deps_, dispatcher_, loops_, launcher_, metrics_}),
        reloader_(services_),
        runner_server_(runner_server_options(), loops_),
        threads_({.max_threads = config.threads,
                  .permits = std::thread::hardware_concurrency() + 2,
                  .max_waiting = config.max_handler_queue,
                  .max_waiting_bytes = config.max_handler_queue_bytes}) {
    if (config.access_log) {
      access_log_ = std::make_unique<observe::AccessLog>(
          output_.out_fd(), config.log_format, [this](std::size_t lines) {
            metrics_.access_log_dropped().Increment(static_cast<double>(lines));
          });
    }
    request_deps_.access_log = access_log_.get();
    request_deps_.timeout = config.timeout;
    request_deps_.body_timeout = config.limits.body_timeout;
    request_deps_.debug = config.debug;
    request_deps_.max_in_flight = config.max_in_flight;
    request_deps_.max_streams = config.max_streams;
    request_deps_.admin_hosts = config.admin_hosts;
    for (const http::Address& address : config.admin_bind) {
      request_deps_.admin_hosts.push_back(address.host);
    }
    request_deps_.threads = &threads_;
    request_deps_.background = &background_;
    request_deps_.body_memory = &body_memory_;
    request_deps_.http_client = &http_client_;
    for (const auto& [reason, count] : supervisor.restarts()) {
      metrics_.serving_restarts(reason).Increment(count);
    }
  }

  // Accepts requests and starts the runners. After an error the caller calls stop_services().
  Status start(std::vector<http::Listener> listeners) {
    // The port first: it is the cheapest thing that can fail.
    if (Status status = open_server(std::move(listeners)); !status.ok()) return status;
    add_admin_pages(dispatcher_, services_, reloader_);
    if (Status status = services_.start(); !status.ok()) return status;
    if (Status status = open_runner_sockets(false); !status.ok()) return status;
    if (config_.watches) {
      watcher_ = std::make_unique<reload::Watcher>(
          services_.files(), [this] { return services_.described_files(); },
          [this](const std::string& name) {
            if (services_.has_changed(name)) reloader_.request(name, false);
          });
      if (Status status = watcher_->start(); !status.ok()) return status;
    }
    launcher_->start();
    for (const auto& loop : loops_) loop->start();
    do_loops_run_ = true;
    supervisor_.watch(loops_);
    runner_server_.serve();
    if (!supervisor_.takes_over()) server_->serve();
    return {};
  }

  // Waits for the runners, prints the ready line, and returns the first signal that ends the
  // process. An error: the runners will not be ready, or a plugin's on_ready has failed.
  Result<int> wait() {
    dispatcher_.set_started();  // not before: a signal to a host that says it is ready drains it
    // After a crash there is no such limit: other services are of use without the one that fails.
    const bool is_first = supervisor_.restarts().empty() || supervisor_.takes_over();
    const TimePoint deadline = is_first ? clock_.now() + config_.start_timeout : kNoDeadline;
    Duration silence = kFirstSilence;
    TimePoint speak_at = clock_.now() + silence;
    bool is_hung_up = false;
    for (Status status = dispatcher_.readiness(); !status.ok(); status = dispatcher_.readiness()) {
      const TimePoint now = clock_.now();
      if (is_first) {
        if (Status may = services_.may_get_ready(); !may.ok()) return give_up(std::move(may));
      }
      if (now >= deadline) {
        return give_up(std::move(status).prefixed(
            "not ready within " + seconds_text(config_.start_timeout) + " (--start-timeout): "));
      }
      if (now >= speak_at) {
        log_info("not ready yet, waiting for " + status.message());
        silence = std::min(2 * silence, kLongestSilence);
        speak_at = now + silence;
      }
      const Duration pause = std::chrono::milliseconds(silence > kFirstSilence ? 50 : 1);
      const int signal = wait_for_signal(pause);
      if (is_stop_signal(signal)) return signal;
      is_hung_up = is_hung_up || signal == SIGHUP;
    }
    {
      const ExitOnSignal on_the_second(config_.graceful_timeout);
      if (Status status = services_.ready(); !status.ok()) return status;
    }
    retake_signals();
    reloader_.start();
    drop_clean_pages();  // code that only the start needed
    if (supervisor_.takes_over()) server_->serve();
    if (Status status = open_runner_sockets(true); !status.ok()) return status;
    // Before the ready line: its readers may send signals at once.
    supervisor_.ready("serving at " + urls());
    announce();
    if (const std::string admin = urls(http::ListenerRole::kAdmin); !admin.empty()) {
      log_info("the admin port is at " + admin);
    }
    if (is_hung_up) read_again();
    int signal = wait_for_signal(Duration::max());
    for (; !is_stop_signal(signal); signal = wait_for_signal(Duration::max())) read_again();
    return signal;
  }

  // The exit code of a process that could not start.
  int exit_code() const { return exit_code_; }

  void stop(int signal) {
    services_.cancel_reloads();  // requests that wait for a reload get their response
    const bool hands_over = signal == supervise::SupervisorClient::kHandOver;
    const bool is_delayed = signal != 0 && !hands_over && config_.drain_delay > Duration::zero();
    const auto say_so = [&] {
      log_info(hands_over ? "handing over" : "stopping",
               {{"signal", signal == 0        ? "none"
                           : hands_over       ? "SIGUSR2"
                           : signal == SIGINT ? "SIGINT"
                                              : "SIGTERM"},
                {"in_flight", request_deps_.unanswered.load()}});
    };
    if (is_delayed) say_so();
    if (watcher_ != nullptr) watcher_->stop();
    reloader_.stop();
    exit_on_next_signal(config_.drain_delay + config_.graceful_timeout +
                        services_.program_stop_timeout() + kLastGrace);
    if (!hands_over) begin_stop(is_delayed);
    const TimePoint deadline = clock_.now() + config_.graceful_timeout;
    if (!hands_over) begin_drain();
    if (hands_over) server_->stop_accepting();
    server_->drain();
    services_.end_tunnels();
    runner_server_.refuse_guests();
    if (!is_delayed) say_so();  // only now is it true for readers of the log
    if (hands_over) {
      // Old connections end after their next response, or when they have been idle for a moment.
      (void)await(deadline - std::min(kStreamEndTime, config_.graceful_timeout / 2),
                  [this] { return server_->open_connections() == 0; });
      begin_drain();
    }
    // The listener stays open while there is work, so that health probes see the shutdown.
    (void)await(deadline, [this] { return request_deps_.unanswered.load() == 0; });
    if (const std::size_t cut = server_->stop(deadline); cut != 0) {
      log_warning("connections were cut at the end of --timeout-graceful-shutdown",
                  {{"connections", cut}});
    }
    const bool handlers_stuck = threads_.stop(clock_.now() + kHandlerExitTime) != 0;
    // After a turn of each loop the last responses are sent, and their background tasks known.
    for (const auto& loop : loops_) loop->let_turn(kHandlerExitTime);
    // The end of their connections has woken them.
    const auto calls_have_ended = [this] { return request_deps_.async_calls.load() == 0; };
    const bool calls_stuck = !await(clock_.now() + kHandlerExitTime, calls_have_ended);
    const bool tasks_stuck = !background_.stop(deadline, kHandlerExitTime);
    services_.stop_programs();  // they may call runners until then
    if (const std::size_t left = runner_server_.stop(deadline); left != 0) {
      log_warning("runner calls were cut at the end of --timeout-graceful-shutdown",
                  {{"calls", left}});
    }
    const bool stuck = handlers_stuck || calls_stuck || tasks_stuck;
    const bool ended = stop_services(stuck);
    if (!ended && !stuck) {
      log_warning(
          "a call of a plugin (create, on_shutdown, destroy) does not return; ending without it",
          {{"limit", seconds_text(kServiceExitTime)}});
    }
    // A handler that has not returned may still use any of these objects.
    if (stuck || !ended) {
      access_log_.reset();
      output_.end();
      end_process(0);
    }
  }

  void begin_drain() {
    request_deps_.draining = true;
    request_deps_.streams.stop();
  }

  void begin_stop(bool is_delayed) {
    supervisor_.stopping();
    request_deps_.stopping = true;
    if (is_delayed) std::this_thread::sleep_for(config_.drain_delay);
  }

  template <typename F>
  bool await(TimePoint deadline, F&& is_so) const {
    while (!is_so() && clock_.now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return is_so();
  }

  bool stop_services(bool are_in_use = false) {
    if (watcher_ != nullptr) watcher_->stop();
    reloader_.stop();
    // Loops that never ran would never run what is posted to them.
    if (!do_loops_run_) stop_loops();
    const bool ended = services_.stop(clock_.now() + kServiceExitTime, are_in_use);
    stop_loops();
    return ended;
  }

 private:
  Status give_up(Status why) {
    exit_code_ = kExitConfig;
    return why;
  }

  http::Server::Loops make_loops() const {
    http::Server::Loops loops;
    for (std::size_t i = 0; i < config_.loops; ++i) {
      loops.push_back(std::make_shared<EventLoop>(clock_, kBetweenTicks));
    }
    return loops;
  }

  void stop_loops() {
    if (do_loops_run_) http_client_.close();
    for (const auto& loop : loops_) loop->stop();
    launcher_->stop();
  }

  // `listeners` are the supervisor's; without a supervisor they are opened here.
  Status open_server(std::vector<http::Listener> listeners) {
    http::ServerOptions options;
    options.limits = config_.limits;
    options.proxies = config_.forwarded_allow_ips;
    options.threads = &threads_;
    options.body_memory = &body_memory_;
    if (!config_.tls.certfile.empty()) {
      auto tls = http::TlsContext::create(config_.tls);
      if (!tls.ok()) return std::move(tls).take_status().prefixed("TLS: ");
      options.tls = tls_ = *std::move(tls);
    }
    if (!supervisor_.is_supervisor()) {
      auto opened = http::open_listeners(config_.listeners());
      if (!opened.ok()) return std::move(opened).take_status();
      listeners = *std::move(opened);
    }
    server_ = std::make_unique<http::Server>(std::move(options), dispatcher_, loops_);
    server_->listen(std::move(listeners));
    return {};
  }

  runner_rpc::ServerOptions runner_server_options() {
    runner_rpc::ServerOptions options;
    options.routes = [this] { return dispatcher_.snapshot(); };
    options.host_version = BENTO_VERSION;
    options.timeout = config_.timeout;
    options.max_frame = config_.limits.max_body;
    return options;
  }

  // Of mounted programs.
  runner_rpc::RunnerServer::Variables runner_environment() {
    auto variables = runner_server_.private_environment();
    if (variables.ok()) return *std::move(variables);
    log_error("mounted programs cannot call runners: " + variables.status().message());
    return {};
  }

  // A process that takes over replaces the other's sockets when it is ready, one that starts alone
  // opens them at once.
  Status open_runner_sockets(bool is_ready) {
    using IfTaken = runner_rpc::ListeningSocket::IfTaken;
    if (is_ready != supervisor_.takes_over()) return {};
    for (const std::string& path : config_.runner_bind) {
      Status status =
          runner_server_.open(path, "", is_ready ? IfTaken::kReplace : IfTaken::kRefuse);
      if (!status.ok()) return std::move(status).prefixed("--runner-bind: ");
    }
    return {};
  }

  // On SIGHUP.
  void read_again() {
    for (const std::string& service : services_.services()) reloader_.request(service, false);
    if (tls_ == nullptr) return log_info("SIGHUP: plugins whose files have changed are reloaded");
    if (Status status = tls_->reload(); !status.ok()) {
      return log_error("SIGHUP: the old certificate stays: " + status.message());
    }
    log_info("SIGHUP: new connections get the certificate as it is now");
  }

  std::string urls(http::ListenerRole role = http::ListenerRole::kPublic) const {
    std::string all;
    for (const std::string& url : server_->urls(role)) all += (all.empty() ? "" : ", ") + url;
    return all;
  }

  // One line on stdout, whatever the log level: people and scripts wait for it.
  void announce() {
    const std::string line =
        ready_line(config_.log_format, services_.names(), urls(), clock_.now() - begun_);
    [[maybe_unused]] const ssize_t n = ::write(output_.out_fd(), line.data(), line.size());
  }

  const Config& config_;
  const std::string exe_;
  supervise::SupervisorClient& supervisor_;
  UserOutput& output_;
  SteadyClock clock_;
  const TimePoint begun_ = clock_.now();
  observe::Metrics metrics_;
  std::unique_ptr<observe::AccessLog> access_log_;
  MemoryBudget body_memory_;
  service::RequestDeps request_deps_;
  service::Background background_;
  service::Dispatcher dispatcher_;
  const http::Server::Loops loops_;
  bool do_loops_run_ = false;
  int exit_code_ = kExitFailed;
  http::Client http_client_{loops_};
  const std::shared_ptr<EventLoop> launcher_;  // starts processes, which may take a while
  reload::ServiceTable services_;
  reload::Reloader reloader_;
  runner_rpc::RunnerServer runner_server_;
  std::unique_ptr<reload::Watcher> watcher_;  // null: --reload was not given
  std::shared_ptr<http::TlsContext> tls_;     // null: plain HTTP
  std::unique_ptr<http::Server> server_;
  ThreadPool threads_;
};

}  // namespace

int serve(const Config& config, const std::string& exe, supervise::SupervisorClient& supervisor) {
  take_signals(supervisor.is_supervisor());
  prepare_exit();
  make_room_for(config.limits.max_connections + kOtherDescriptors);
  UserOutput output;
  configure_log(config.log_level, config.log_format, "host", output.err_fd());
  const SignalStack for_crashes;
  http::prepare_crash_responses();
  install_crash_report(
      config.log_format, "host",
      {&http::send_crash_responses, &supervise::SupervisorClient::crashing, &end_in_a_crash, true});
  auto listeners = supervisor.take_listeners();
  output.start();
  supervisor.start(&request_signal);
  Lifecycle lifecycle(config, exe, supervisor, output);
  Status status;
  {
    const ExitOnSignal while_starting;
    status = listeners.ok() ? lifecycle.start(*std::move(listeners))
                            : std::move(listeners).take_status();
  }
  if (!status.ok()) {
    exit_on_next_signal(kLastGrace);
    lifecycle.stop_services();
    output.end();
    std::fprintf(stderr, "bentohost: %s\n", status.message().c_str());
    return 1;
  }
  auto signal = lifecycle.wait();
  if (!signal.ok()) {
    lifecycle.stop(0);
    output.end();
    std::fprintf(stderr, "bentohost: %s\n", signal.status().message().c_str());
    return lifecycle.exit_code();
  }
  lifecycle.stop(*signal);
  return 0;
}

}  // namespace bentohost::app
