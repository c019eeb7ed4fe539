// ServiceTable: all services of the host, each in its slot, and the transaction that puts a new
// generation into one: everything that can fail comes before one swap, and whatever fails leaves
// the old generation serving as if nothing had been.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/loop/thread_pool.h"
#include "base/status.h"
#include "reload/generation.h"
#include "reload/progress.h"
#include "reload/service_reaper.h"
#include "reload/stage.h"
#include "service/routing/dispatcher.h"

namespace bentohost::reload {

// What the command line asks for, once for each service.
struct ServiceSlotOptions {
  std::string library;  // a bare name or a path
  std::string prefix;   // of its routes: "" or "/iris"
  // Of middleware alone, that goes around the others:
  bool is_around = false;
  std::string around;  // which one; "" for each
  std::string name;    // what it must be called
};

struct ServiceTableOptions {
  std::vector<ServiceSlotOptions> slots;  // those around come last
  StageOptions stage;
  std::vector<std::string> plugin_folders;
  // At the start, before any of them is loaded: whether others' wishes fit these names.
  std::function<Status(const std::vector<std::string>& services,
                       const std::vector<std::string>& runners)>
      check_names;
  service::RunnerOptions runners;
  std::string copy_dir;
  // How long create and on_startup may take in a reload, and how long the runners.
  Duration start_limit = std::chrono::seconds(60);
  bool unmaps = false;         // retired generations
  bool tries_samples = false;  // each API's own, before the swap
};

// How a reload has ended.
struct ReloadResult {
  Status status;                 // OK: it serves; else why not
  std::string result;            // "ok", "unchanged", or the step that failed
  std::uint64_t generation = 0;  // that serves now
  Progress progress;
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
  // A new generation of the service, if its file is another than the one that serves, or `force`.
  // One at a time.
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
  bool has(std::string_view service) const;
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
  // So many calls into plugins may never return before a reload is refused for it.
  static constexpr std::size_t kStarters = 16;

  struct ServiceSlot {
    ServiceSlotOptions options;
    std::string path;  // found
    std::string service;
    std::shared_ptr<service::LiveService> live;
    service::ServiceRoutesPtr routes;  // null for those around
    // Guarded by mutex_, for json():
    GenerationPtr current;
    std::deque<GenerationPtr> old;  // the newest last
    plugin::FileStamp tried;        // of the file that was last looked at, and is not served
    std::uint64_t reloads = 0, failures = 0;
    std::string last_error;  // a JSON object; "" for none
  };
  // A generation on its way up; dropped, it takes itself down.
  struct Candidate {
    GenerationPtr generation;
    std::shared_ptr<service::LiveService> live;
    std::vector<std::pair<ServiceSlot*, service::ServiceRoutesPtr>> routes;
    service::RoutingSnapshotPtr snapshot;
  };

  Result<Staged> stage(ServiceSlot& slot, Progress& progress);
  Status check_start(const std::vector<Staged>& staged) const;
  GenerationPtr make_generation(const ServiceSlot& slot, const Staged& staged) const;
  Result<std::shared_ptr<service::LiveService>> load(const ServiceSlot& slot, Staged& staged,
                                                     const GenerationPtr& generation);
  std::vector<std::shared_ptr<const service::LiveService>> around(const std::string& service,
                                                                  const ServiceSlot* but,
                                                                  const Candidate* candidate) const;
  Status make_snapshot(Candidate& candidate, ServiceSlot* slot);

  ServiceSlot* find(std::string_view service);
  const ServiceSlot* find(std::string_view service) const;
  // The transaction (fleet_reload.cc).
  Status bring_up(ServiceSlot& slot, bool force, Progress& progress, bool& is_unchanged);
  Status within_limit(Progress& progress, const std::shared_ptr<Candidate>& candidate,
                      Status (service::LiveService::*step)());
  Status await_runners(const service::LiveService& live) const;
  Status try_samples(const Candidate& candidate, const ServiceSlot& slot) const;
  void swap(ServiceSlot& slot, Candidate& candidate);
  void note(ServiceSlot& slot, const ReloadResult& outcome);
  std::vector<std::shared_ptr<service::LiveService>> still_held() const;
  bool await_release(TimePoint deadline) const;

  const ServiceTableOptions options_;
  Deps deps_;
  const Clock& clock_;
  std::unique_ptr<plugin::CopyFolder> folder_;
  ServiceReaper retirer_;
  ThreadPool starters_;  // of calls into plugins that might not return
  std::deque<ServiceSlot> slots_;
  mutable std::mutex mutex_;
  std::atomic<bool> are_cancelled_ = false;
};

}  // namespace bentohost::reload
