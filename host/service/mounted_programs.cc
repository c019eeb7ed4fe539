#include "service/mounted_programs.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "observe/sharded.h"
#include "service/source_files.h"
#include "upstream/process/app_servers.h"

namespace bentohost::service {
namespace {

std::string place_of(const mount::Mount& mount) {
  return mount.prefix.empty() ? "/" : mount.prefix;
}

// To each process of a program that does not say how many requests it takes at once.
constexpr std::uint32_t kMostConnections = 1000;

upstream::UpstreamOptions upstream_options(const mount::Mount& mount) {
  const mount::AppSpec& app = mount.app;
  const bool is_wsgi =
      app.kind == mount::AppKind::kWsgi || app.kind == mount::AppKind::kWsgiGunicorn;
  upstream::UpstreamOptions options;
  options.name = place_of(mount);
  options.root_path = mount.prefix;
  options.strips_prefix = !is_wsgi;
  options.works_on = is_wsgi;
  options.prefixes_cookies = app.prefixes_cookies;
  options.limits = {.max_connections = app.max_connections,
                    .max_queue = app.max_queue,
                    .connect_timeout = app.connect_timeout,
                    .send_timeout = app.send_timeout,
                    .read_timeout = app.read_timeout,
                    .tunnel_timeout = app.tunnel_timeout};
  if (options.limits.max_connections == 0) {
    options.limits.max_connections = is_wsgi ? app.threads : kMostConnections;
  }
  return options;
}

std::vector<observe::ShardedCounter*> outcome_counters(observe::Metrics& metrics,
                                                       const std::string& service,
                                                       const std::string& place) {
  std::vector<observe::ShardedCounter*> counters;
  for (std::size_t i = 0; i < upstream::kOutcomes; ++i) {
    const auto outcome = static_cast<upstream::Outcome>(i);
    counters.push_back(&metrics.mount_requests(service, place, name_of(outcome)));
  }
  return counters;
}

}  // namespace

MountedPrograms::MountedPrograms(std::vector<mount::Mount> mounts) {
  for (mount::Mount& mount : mounts) programs_.push_back({std::move(mount), nullptr, nullptr});
}

MountedPrograms::~MountedPrograms() = default;

void MountedPrograms::start(const std::string& service, const ProgramOptions& options,
                            const Deps& deps) {
  clock_ = &deps.clock;
  sources_ = sources_now();
  for (MountedProgram& program : programs_) {
    const std::string place = place_of(program.mount);
    observe::Metrics& metrics = deps.metrics;
    const observe::MountMetrics its = metrics.mount(service, place);
    program.upstream = std::make_shared<upstream::Upstream>(
        upstream_options(program.mount),
        upstream::UpstreamMetrics{
            .on_end =
                [counters = outcome_counters(metrics, service, place)](upstream::Outcome outcome) {
                  counters[static_cast<std::size_t>(outcome)]->add(1);
                },
            .on_head =
                [its](Duration took) {
                  its.to_head->observe(std::chrono::duration<double>(took).count());
                },
            .on_retry = [its] { its.retries->Increment(); }});
    upstream::AppProcessesOptions processes;
    processes.exe = options.exe;
    if (options.environment) processes.extra_environment = options.environment();
    processes.extra_environment.emplace_back("BENTO_SERVICE", service);
    if (!options.python_folder.empty()) processes.python_path = {options.python_folder};
    processes.socket_parent = options.socket_parent;
    processes.restarted = [&metrics, service, place](std::string_view reason) {
      metrics.count_mount_restart(service, place, reason);
    };
    program.processes = std::make_unique<upstream::AppProcesses>(
        program.mount,
        std::make_shared<upstream::AppServersOf<upstream::Upstream>>(program.upstream),
        deps.launcher, std::move(processes));
    program.processes->start();
  }
}

Result<bool> MountedPrograms::is_warm() const {
  bool all = true;
  for (const MountedProgram& program : programs_) {
    if (program.processes == nullptr) continue;
    if (Status status = program.processes->may_get_ready(); !status.ok()) return status;
    auto warm = program.processes->is_warm();
    if (!warm.ok()) return warm;
    all = all && *warm;
  }
  return all;
}

Status MountedPrograms::readiness() const {
  std::string reasons;
  for (const MountedProgram& program : programs_) {
    if (program.processes == nullptr) continue;
    const Status status = program.upstream->availability();
    if (!status.ok()) reasons += (reasons.empty() ? "" : "; ") + status.message();
  }
  return reasons.empty() ? Status() : Status(BENTO_UNAVAILABLE, std::move(reasons));
}

Status MountedPrograms::may_get_ready() const {
  for (const MountedProgram& program : programs_) {
    if (program.processes == nullptr) continue;
    if (Status status = program.processes->may_get_ready(); !status.ok()) return status;
  }
  return {};
}

void MountedPrograms::end_tunnels() const {
  for (const MountedProgram& program : programs_) {
    if (program.upstream != nullptr) program.upstream->end_tunnels();
  }
}

void MountedPrograms::end_requests() const {
  for (const MountedProgram& program : programs_) {
    if (program.upstream != nullptr) program.upstream->end_requests();
  }
}

void MountedPrograms::stop(TimePoint deadline) {
  if (clock_ != nullptr) deadline = std::max(deadline, clock_->now() + stop_timeout());
  for (MountedProgram& program : programs_) {
    if (program.processes != nullptr) program.processes->begin_stop(deadline);
  }
  for (MountedProgram& program : programs_) {
    if (program.processes != nullptr) program.processes->stop(deadline);
  }
}

Duration MountedPrograms::stop_timeout() const {
  Duration longest = Duration::zero();
  for (const MountedProgram& program : programs_) {
    longest = std::max(longest, program.mount.app.stop_timeout);
  }
  return longest;
}

void MountedPrograms::show_load(const std::string& service, observe::Metrics& metrics) const {
  for (const MountedProgram& program : programs_) {
    const observe::MountMetrics its = metrics.mount(service, place_of(program.mount));
    its.up->Set(static_cast<double>(program.upstream->serving()));
    its.in_flight->Set(static_cast<double>(program.upstream->in_flight()));
    its.connections->Set(static_cast<double>(program.upstream->connections()));
    its.waiting->Set(static_cast<double>(program.upstream->waiting()));
  }
}

std::string MountedPrograms::sources_now() const {
  std::string state;
  for (const MountedProgram& program : programs_) {
    state += source_files_state(program.mount.app.folder);
  }
  return state;
}

std::vector<std::string> MountedPrograms::folders() const {
  std::vector<std::string> all;
  for (const MountedProgram& program : programs_) {
    for (std::string& folder : source_folders(program.mount.app.folder)) {
      all.push_back(std::move(folder));
    }
  }
  return all;
}

}  // namespace bentohost::service
