// LiveService: one plugin at work: its instance in this process, and the pools of its runners.
// Immutable once started; any thread. (A reload makes a new one beside it.)
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/event_loop.h"
#include "base/status.h"
#include "observe/metrics.h"
#include "plugin/instance.h"
#include "runner/client.h"
#include "runner/pool.h"
#include "runner/spawner.h"

namespace bentohost::service {

struct RunnerOptions {
  std::string exe;            // this program, started again as `exe runner ...`
  std::uint32_t workers = 1;  // for runners that `workers_of` does not name
  std::map<std::string, std::uint32_t> workers_of;
  std::size_t max_queue = 1024;
};

class LiveService {
 public:
  // Loads the plugin. `prefix` goes in front of its routes: "" or "/iris".
  static Result<std::unique_ptr<LiveService>> load(plugin::PluginConfig config, std::string prefix);
  LiveService(std::unique_ptr<plugin::Instance> instance, std::string prefix)
      : instance_(std::move(instance)), prefix_(std::move(prefix)) {}
  ~LiveService();

  using Loops = std::vector<std::shared_ptr<EventLoop>>;

  // create, on_startup, then the runners' pools, dealt out over the loops, which are not running
  // yet.
  Status start(const RunnerOptions& options, const Loops& loops, const Clock& clock,
               observe::Metrics& metrics);
  void start_runners();  // once the loops run
  Status ready() { return instance_->ready(); }
  // on_shutdown and destroy, after the runners have ended; those not ended by `deadline` are
  // killed. `is_in_use`: a handler has not returned, so nothing is destroyed under it.
  void stop(TimePoint deadline, bool is_in_use = false);

  const plugin::Instance& instance() const { return *instance_; }
  const plugin::ServiceSpec& spec() const { return instance_->spec(); }
  const std::string& prefix() const { return prefix_; }
  const runner::Client& runners() const { return *client_; }

 private:
  std::unique_ptr<plugin::Instance> instance_;
  std::string prefix_;
  std::unique_ptr<runner::Spawner> spawner_;
  std::vector<std::unique_ptr<runner::Pool>> pools_;
  std::unique_ptr<runner::Client> client_;
};

}  // namespace bentohost::service
