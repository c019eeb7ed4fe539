// LiveService: one generation of a plugin at work: its instance in this process, and its runners'
// pools. Immutable once started; any thread. A reload makes a new LiveService beside the old one.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/memory_budget.h"
#include "base/status.h"
#include "mount/app_spec.h"
#include "observe/metrics.h"
#include "plugin/instance.h"
#include "runner/client.h"
#include "runner/pool.h"
#include "runner/spawner.h"
#include "service/mounted_programs.h"

namespace bentohost::service {

struct RunnerOptions {
  std::string exe;            // this program, started again as `exe runner ...`
  std::uint32_t workers = 1;  // for runners that `workers_of` does not name
  std::map<std::string, std::uint32_t> workers_of;  // by SERVICE.RUNNER or RUNNER
  std::size_t max_queue = 1024;
  std::size_t max_queue_bytes = 256u << 20;
  bool starts_at_low_priority = false;             // another generation serves meanwhile
  ProgramOptions programs = {};                    // for the mounted programs
  std::shared_ptr<MemoryBudget> arenas = nullptr;  // of all services; null: no shared memory

  std::uint32_t workers_for(const std::string& service, const std::string& runner) const;
};

class LiveService {
 public:
  // Loads the plugin. `prefix` goes in front of its routes: "" or "/iris".
  // `mounts` are added to the plugin's own.
  static Result<std::unique_ptr<LiveService>> load(plugin::PluginConfig config, std::string prefix,
                                                   std::vector<mount::Mount> mounts = {});
  LiveService(std::unique_ptr<plugin::Instance> instance, std::string prefix,
              std::vector<mount::Mount> mounts = {});
  ~LiveService();

  using Loops = std::vector<std::shared_ptr<EventLoop>>;

  // Call each once and in this order, from one thread at a time.
  // Its own metrics, and the HTTP client; before create().
  void offer_extensions(observe::Metrics& metrics) {
    instance_->offer_metrics(metrics.custom());
    instance_->offer_http_client();
  }
  Status create() { return instance_->create(); }
  Status start() { return instance_->start(); }  // on_startup
  // The runners' pools are spread over the loops; `launcher` starts their processes, and those of
  // the mounted programs.
  struct RunnerDeps {
    const Loops& loops;
    const std::shared_ptr<EventLoop>& launcher;
    const Clock& clock;
    observe::Metrics& metrics;
  };
  void start_runners(const RunnerOptions& options, const RunnerDeps& deps);
  // As Pool::is_warm, for all runners, and whether all mounted programs answer.
  Result<bool> is_warm() const;
  // OK when every runner has a warm worker and every mounted program a process that answers;
  // otherwise UNAVAILABLE with all reasons.
  Status readiness() const;
  // OK unless a runner's workers or a mounted program have failed for good; the Status says why.
  Status may_get_ready() const;
  Status ready() { return instance_->ready(); }
  // Ends the mounted programs, which may call runners until then. Not for a loop's thread.
  void stop_programs(TimePoint deadline) { programs_.stop(deadline); }
  // The same first. Fails the waiting calls of its runners and ends the processes. A process that
  // has not ended by `deadline` is killed, and its calls fail. Not for a loop's thread.
  void stop_runners(TimePoint deadline);
  // Calls on_shutdown and destroy after the runners have ended. `is_in_use`: a handler has not
  // returned, so destroy is not called. The loops must be running; no loop's thread may call this.
  void stop(TimePoint deadline, bool is_in_use = false);
  // After stop(); as plugin::Library's.
  Status unmap() { return instance_->unmap(); }
  void drop_clean_pages() const { instance_->drop_clean_pages(); }

  const plugin::Instance& instance() const { return *instance_; }
  const plugin::ServiceSpec& spec() const { return instance_->spec(); }
  const std::string& prefix() const { return prefix_; }
  const runner::Client& runners() const { return *client_; }
  const MountedPrograms& programs() const { return programs_; }
  // For work on a loop that no connection has to do with. After start_runners().
  EventLoop& some_loop() const { return *loops_.front(); }

  // How many requests and background rows hold the service.
  mutable std::atomic<std::size_t> leases = 0;

 private:
  std::unique_ptr<plugin::Instance> instance_;
  std::string prefix_;
  std::unique_ptr<runner::Spawner> spawner_;
  std::vector<std::shared_ptr<runner::Pool>> pools_;
  Loops loops_;
  std::unique_ptr<runner::Client> client_;
  MountedPrograms programs_;
};

}  // namespace bentohost::service
