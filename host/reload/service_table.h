// ServiceTable: all services of the host, each in its slot: their start, all or none; whether they
// are ready; what operators are told of them; their reloads, of which each is a ReloadTransaction;
// and their end.
//
// Start, reloads and end come from one thread at a time, that is not a loop's; what is marked [any]
// from any thread. It owns the slots, the private copies, and the threads that plugins may hang in.
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
  std::vector<ServiceSlotOptions> slots;  // those around come last
  StageOptions stage;
  std::vector<std::string> plugin_folders;
  // At the start, before any of them is loaded: whether the other options fit these names.
  std::function<Status(const std::vector<std::string>& services,
                       const std::vector<std::string>& runners)>
      check_names;
  service::RunnerOptions runners;
  std::string copy_dir;
  // In a reload: how long each step may take that has this limit (reload_transaction.h).
  Duration start_limit = std::chrono::seconds(60);
  bool unmaps = false;         // retired generations
  bool tries_samples = false;  // each API's own, before the swap
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

  // ---- from one thread, that is not a loop's ---------------------------------------------------
  // Loads and starts all of them, or none; their routes are published, their runners on their way
  // when the loops run. Errors name the plugin and what was wrong.
  Status start();
  // Until then: whether they ever may, as LiveService::may_get_ready.
  Status may_get_ready() const;
  // The runners answer: on_ready, of each.
  Status ready();
  // A new generation of the service, if its file is another than the one that serves, or `force`:
  // one ReloadTransaction. After start().
  ReloadResult reload(std::string_view service, bool force);
  // Once in a while: says which generations are still held by requests long after their end.
  void look_after_draining();
  // The services' end: they are not asked for any more. False: a plugin has not returned from its
  // end by `deadline`. `are_in_use`: handlers have not returned, so that nothing is destroyed.
  bool stop(TimePoint deadline, bool are_in_use);

  // [any] Ends a reload that waits for a plugin or its runners: it fails, and so do all that
  // follow.
  void cancel_reloads() { are_cancelled_ = true; }

  // ---- [any] -----------------------------------------------------------------------------------
  std::vector<std::string> services() const;  // names
  // The files that are watched for changes: service and path, as given.
  std::vector<std::pair<std::string, std::string>> files() const;
  // Whether the file is another than the one that serves, and than the last one that could not, as
  // far as its state tells.
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
  ThreadPool starters_;  // of calls into plugins that might not return
  ServiceSlots slots_;
};

}  // namespace bentohost::reload
