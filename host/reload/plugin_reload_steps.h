// PluginReloadSteps: the ReloadSteps of a slot's real plugin: its file is staged and loaded, its
// service and runners are brought up, and swap() puts the new generation into the slot.
//
// Threads: the reloader's alone, and no other thread changes slots meanwhile. It takes the slots'
// mutex for data that json() and has_changed() read. It owns the candidate; all else outlives it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "plugin/private_copy.h"
#include "reload/load_generation.h"
#include "reload/reload_steps.h"
#include "reload/routing_change.h"
#include "reload/service_reaper.h"
#include "reload/service_slot.h"
#include "reload/stage.h"
#include "service/live_service.h"
#include "service/routing/dispatcher.h"

namespace bentohost::reload {

class PluginReloadSteps final : public ReloadSteps {
 public:
  struct Options {
    StageOptions stage;  // with `cancelled`, for the probe
    service::RunnerOptions runners;
    Duration sample_limit{};  // per sample
  };
  struct Deps {
    ServiceSlots& slots;
    plugin::CopyFolder& folder;
    ServiceReaper& reaper;
    service::Dispatcher& dispatcher;
    service::LiveService::RunnerDeps runners;
  };
  // `slot` is one of `deps.slots`, and has a generation that serves.
  PluginReloadSteps(ServiceSlot& slot, const Options& options, const Deps& deps);

  Serving serving() const override;
  bool is_file_serving() const override;
  Status copy(Progress& progress) override;
  bool is_copy_serving() override;
  Status probe(Progress& progress) override;
  Status check_symbols() override;
  Status check_libraries() override;
  Status load() override;
  std::function<Status()> plugin_call(Step step) override;
  void start_runners() override;
  Status make_routes() override;
  Result<bool> are_runners_warm() const override;
  std::string missing_runners() const override;
  Status try_samples() override;
  void swap() override;

 private:
  bool are_other_files_serving() const;
  void keep(const GenerationPtr& old);

  ServiceSlot& slot_;
  const Options& options_;
  const Deps deps_;
  const Result<plugin::FileStamp> stamp_;  // of the file, before it is copied
  const std::string sources_;              // the state of the mounted programs' files
  const std::string files_;       // the state of the files that the description is made from
  std::optional<Staged> staged_;  // from copy() on
  // The candidate, from load() on:
  GenerationPtr generation_;
  std::shared_ptr<service::LiveService> live_;
  RoutingChange routing_;
};

}  // namespace bentohost::reload
