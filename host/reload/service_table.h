// ServiceTable: all services of the host, each in its slot. It starts them, all or none; says
// whether they are ready; reports on them to operators; reloads them, each reload being a
// ReloadTransaction; and ends them.
//
// Start, reloads and end come from one thread at a time, not a loop's; functions marked [any], from
// any thread. It owns the slots, the private copies, and the threads that plugins may hang in.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop/thread_pool.h"
#include "base/status.h"
#include "reload/plugin_reload_steps.h"
#include "reload/reload_result.h"
#include "reload/service_reaper.h"
#include "reload/service_slot.h"
#include "reload/stage.h"
#include "service/routing/dispatcher.h"

namespace bentohost::reload {

struct ServiceTableOptions {
  std::vector<ServiceSlotOptions> slots;  // middleware (--use) comes last
  StageOptions stage;
  std::vector<std::string> plugin_folders;
  // Called at the start, before any plugin is loaded: checks the other options against these names.
  std::function<Status(const std::vector<std::string>& services,
                       const std::vector<std::string>& runners)>
      check_names;
  service::RunnerOptions runners;
  std::string copy_dir;
  // In a reload: the limit of the steps that have start_limit in reload_transaction.h.
  Duration start_limit = std::chrono::seconds(60);
  bool unmaps = false;         // whether retired generations are unmapped
  bool tries_samples = false;  // whether each API's own sample is tried before the swap
};

class ServiceTable {
 public:
  struct Deps {
    service::RequestDeps& request_deps;
    service::Dispatcher& dispatcher;
    service::LiveService::Loops loops;
    std::shared_ptr<EventLoop> launcher;  // starts runner processes
    observe::Metrics& metrics;
  };
  ServiceTable(ServiceTableOptions options, Deps deps);
  ~ServiceTable();

  // ---- from one thread, not a loop's -----------------------------------------------------------
  // Loads and starts all services, or none; publishes their routes; their runners start when the
  // loops run. Errors name the plugin and what was wrong.
  Status start();
  // Before ready(): whether the services can still become ready, as LiveService::may_get_ready.
  Status may_get_ready() const;
  // Call it when the runners are up: calls on_ready of each service.
  Status ready();
  // Brings up a new generation of the service if its file is not the one that serves, or if
  // `force`: one ReloadTransaction. After start().
  ReloadResult reload(std::string_view service, bool force);
  // Call it once in a while: logs which generations are still in use long after their replacement,
  // and ends requests to their mounted programs, such as streams without an end, after five
  // minutes.
  void look_after_draining();
  // Ends the WebSockets of mounted programs; then the programs, which get no more requests, and
  // whose longest stop_timeout it takes at most.
  void end_tunnels() const;
  void stop_programs() const;
  Duration program_stop_timeout() const;
  // Ends the services, which get no more requests. False: a plugin has not returned from its end
  // by `deadline`. `are_in_use`: handlers have not returned, so that nothing is destroyed.
  bool stop(TimePoint deadline, bool are_in_use);

  // [any] Ends a reload that waits for a plugin or its runners: it fails, and so do all later
  // reloads.
  void cancel_reloads() { are_cancelled_ = true; }

  // ---- [any] -----------------------------------------------------------------------------------
  std::vector<std::string> services() const;  // names
  // The files to watch for changes: service and path, as given.
  std::vector<std::pair<std::string, std::string>> files() const;
  // The same of the files that descriptions were made from, which a reload may change.
  std::vector<std::pair<std::string, std::string>> described_files() const;
  // Whether the file, or one that its description was made from, differs, judged by its state
  // alone, from the one that serves and from the last one that failed.
  bool has_changed(std::string_view service) const;
  // {"plugins":[...]}: generations, states, requests, build ids, times, the last error.
  std::string json() const;
  // "iris_classifier 1.2.0, other"
  std::string names() const;

 private:
  Result<Staged> stage(ServiceSlot& slot);
  Status check_names(const std::vector<Staged>& staged) const;
  Status load_all(std::vector<Staged> staged);
  Status create_all();
  Status publish_all();
  service::LiveService::RunnerDeps runner_deps() const;
  PluginReloadSteps::Options step_options() const;

  ServiceSlot* find(std::string_view service);
  const ServiceSlot* find(std::string_view service) const;
  std::vector<std::shared_ptr<service::LiveService>> still_held() const;
  bool await_release(TimePoint deadline) const;

  const ServiceTableOptions options_;
  Deps deps_;
  const Clock& clock_;
  std::atomic<bool> are_cancelled_ = false;
  const PluginReloadSteps::Options step_options_;
  std::unique_ptr<plugin::CopyFolder> folder_;  // null before the start and after the end
  ServiceReaper reaper_;
  ThreadPool starters_;  // for calls into plugins, which might not return
  ServiceSlots slots_;
};

}  // namespace bentohost::reload
