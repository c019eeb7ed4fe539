#include "reload/service_table.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <cstddef>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "plugin/helper_libraries.h"
#include "plugin/library.h"
#include "plugin/unique_symbols.h"
#include "reload/load_generation.h"
#include "reload/reload_transaction.h"
#include "reload/report.h"
#include "reload/routing_change.h"
#include "reload/slot_names.h"

namespace bentohost::reload {
namespace {

constexpr Duration kDrainWarning = std::chrono::seconds(60);
// Streams that programs never end would keep their generations for ever.
constexpr Duration kLongestProgramDrain = std::chrono::minutes(5);
constexpr Duration kPoll = std::chrono::milliseconds(1);

}  // namespace

ServiceTable::ServiceTable(ServiceTableOptions options, Deps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      clock_(deps_.request_deps.clock),
      step_options_(step_options()),
      reaper_(clock_, deps_.metrics, options_.unmaps),
      starters_(ReloadTransaction::kMaxCalls, ReloadTransaction::kMaxCalls) {
  for (const ServiceSlotOptions& given : options_.slots) {
    ServiceSlot& slot = slots_.all.emplace_back();
    slot.options = given;
    slot.service = given.instance;  // if it is empty, the plugin will say
  }
}

ServiceTable::~ServiceTable() = default;

service::LiveService::RunnerDeps ServiceTable::runner_deps() const {
  return {deps_.loops, deps_.launcher, clock_, deps_.metrics};
}

// ---- the start ----

Status ServiceTable::start() {
  auto folder = plugin::CopyFolder::create(options_.copy_dir);
  if (!folder.ok()) return std::move(folder).take_status();
  folder_ = *std::move(folder);

  std::vector<Staged> staged;
  for (ServiceSlot& slot : slots_.all) {
    auto one = stage(slot);
    if (!one.ok()) {
      const std::string context =
          slot.options.is_around ? "--use " + slot.options.name + ": " : std::string();
      return std::move(one).take_status().prefixed(context);
    }
    staged.push_back(*std::move(one));
  }
  if (Status status = check_names(staged); !status.ok()) return status;
  if (Status status = load_all(std::move(staged)); !status.ok()) return status;
  if (Status status = create_all(); !status.ok()) return status;
  return publish_all();
}

Result<Staged> ServiceTable::stage(ServiceSlot& slot) {
  auto path = plugin::find_plugin(slot.options.library, options_.plugin_folders);
  if (!path.ok()) return std::move(path).take_status();
  slot.path = *std::move(path);
  StageOptions at_once = options_.stage;
  at_once.quiet = Duration::zero();
  at_once.check_name = [&](const std::string& service) {
    slot.service = service;
    if (!slot.options.name.empty() && service != slot.options.name) {
      return Status(BENTO_INVALID_ARGUMENT, slot.path + " is of a service called " + service);
    }
    return check_name_is_free(slots_, slot);
  };
  Progress progress(clock_);
  auto staged = copy_plugin(*folder_, slot.path, at_once, progress);
  if (!staged.ok()) return staged;
  staged->config.instance = slot.options.instance;
  if (Status status = try_plugin(*staged, at_once, false, progress); !status.ok()) return status;
  return staged;
}

Status ServiceTable::check_names(const std::vector<Staged>& staged) const {
  if (Status status = check_slot_names(slots_); !status.ok()) return status;
  std::vector<std::string> runners;
  for (const Staged& one : staged) {
    runners.insert(runners.end(), one.runners.begin(), one.runners.end());
  }
  return options_.check_names(services(), runners);
}

Status ServiceTable::load_all(std::vector<Staged> staged) {
  for (std::size_t i = 0; i < staged.size(); ++i) {
    ServiceSlot& slot = slots_.all[i];
    const std::string context = slot.path + ": ";
    // Only a warning: two plugins may share a variable on purpose.
    Status status = plugin::check_unique_symbols(staged[i].facts, staged[i].brought);
    if (!status.ok()) log_warning(context + status.message());
    if (status = plugin::check_helper_libraries(staged[i].brought); !status.ok()) {
      return std::move(status).prefixed(context);
    }
    auto loaded = load_generation(slot, staged[i], reaper_);
    if (!loaded.ok()) return std::move(loaded).take_status();
    slot.live = std::move(loaded->live);
    const MutexLock lock(slots_.mutex);
    slot.current = std::move(loaded->generation);
  }
  return {};
}

Status ServiceTable::create_all() {
  // Middleware (--use) first: the services that it wraps may need it at once.
  for (const bool is_around : {true, false}) {
    for (ServiceSlot& slot : slots_.all) {
      if (slot.options.is_around != is_around) continue;
      slot.live->offer_extensions(deps_.metrics);
      if (Status status = slot.live->create(); !status.ok()) return status;
      if (Status status = slot.live->start(); !status.ok()) return status;
      slot.live->start_runners(options_.runners, runner_deps());
    }
  }
  return {};
}

Status ServiceTable::publish_all() {
  RoutingChange routing(deps_.dispatcher, slots_);
  for (const ServiceSlot& slot : slots_.all) {
    if (Status status = routing.add(slot); !status.ok()) return status;
  }
  routing.publish();
  routing.hand_over();
  for (ServiceSlot& slot : slots_.all) {
    slot.current->state = State::kServing;
    deps_.metrics.generation(slot.service).Set(1);
  }
  return {};
}

Status ServiceTable::may_get_ready() const {
  for (const ServiceSlot& slot : slots_.all) {
    if (Status status = slot.live->may_get_ready(); !status.ok()) {
      return std::move(status).prefixed("service " + slot.service + " cannot start: ");
    }
  }
  return {};
}

Status ServiceTable::ready() {
  for (const bool is_around : {true, false}) {
    for (ServiceSlot& slot : slots_.all) {
      if (slot.options.is_around != is_around) continue;
      if (Status status = slot.live->ready(); !status.ok()) return status;
    }
  }
  return {};
}

// ---- reloads ----

PluginReloadSteps::Options ServiceTable::step_options() const {
  PluginReloadSteps::Options options{options_.stage, options_.runners, options_.start_limit};
  options.stage.cancelled = &are_cancelled_;
  return options;
}

ReloadResult ServiceTable::reload(std::string_view service, bool force) {
  ServiceSlot* slot = find(service);
  if (slot == nullptr) {
    return {Status(BENTO_NOT_FOUND,
                   "there is no service " + std::string(service) + "; here is " + names()),
            "unknown", 0, Progress(clock_)};
  }
  auto steps = std::make_unique<PluginReloadSteps>(
      *slot, step_options_,
      PluginReloadSteps::Deps{slots_, *folder_, reaper_, deps_.dispatcher, runner_deps()});
  ReloadTransaction transaction(
      std::move(steps), {force, options_.start_limit, options_.tries_samples},
      {clock_, deps_.metrics, are_cancelled_,
       [this](std::function<void()> call) { starters_.run(std::move(call)); },
       [] { std::this_thread::sleep_for(kPoll); }});
  ReloadResult result = std::move(transaction).run();
  const MutexLock lock(slots_.mutex);
  if (result.result == "ok") ++slot->reloads;
  if (!result.status.ok()) {
    ++slot->failures;
    slot->last_error = error_json(result.result, result.status.message());
  }
  return result;
}

void ServiceTable::look_after_draining() {
  std::vector<GenerationPtr> late;
  std::vector<std::shared_ptr<service::LiveService>> endless;
  {
    const MutexLock lock(slots_.mutex);
    for (const ServiceSlot& slot : slots_.all) {
      for (const GenerationPtr& old : slot.old) {
        if (old->state == State::kDraining &&
            clock_.now() - old->replaced_at >= kLongestProgramDrain) {
          if (auto live = old->live.lock()) endless.push_back(std::move(live));
        }
        const bool is_late = old->state == State::kDraining && !old->was_warned_of &&
                             clock_.now() - old->replaced_at >= kDrainWarning;
        if (is_late) late.push_back(old);
      }
    }
  }
  for (const auto& live : endless) live->programs().end_requests();
  for (const GenerationPtr& old : late) {
    old->was_warned_of = true;
    log_warning(
        "a replaced generation is still in use, and its runners with it",
        {{"service", old->service}, {"generation", old->number}, {"requests", old->leases()}});
  }
}

std::vector<std::shared_ptr<service::LiveService>> ServiceTable::still_held() const {
  std::vector<std::shared_ptr<service::LiveService>> held;
  for (const ServiceSlot& slot : slots_.all) {
    std::vector<GenerationPtr> all(slot.old.begin(), slot.old.end());
    if (slot.current != nullptr) all.push_back(slot.current);
    for (const GenerationPtr& generation : all) {
      if (auto live = generation->live.lock()) held.push_back(std::move(live));
    }
  }
  return held;
}

// Waits, because a service may be released a moment after its last response.
bool ServiceTable::await_release(TimePoint deadline) const {
  while (!still_held().empty()) {
    if (clock_.now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

void ServiceTable::end_tunnels() const {
  for (const auto& live : still_held()) live->programs().end_tunnels();
}

void ServiceTable::stop_programs() const {
  for (const auto& live : still_held()) live->stop_programs(clock_.now());
}

Duration ServiceTable::program_stop_timeout() const {
  Duration longest = Duration::zero();
  for (const auto& live : still_held()) {
    longest = std::max(longest, live->programs().stop_timeout());
  }
  return longest;
}

bool ServiceTable::stop(TimePoint deadline, bool are_in_use) {
  if (!are_in_use) {
    if (auto nothing = deps_.dispatcher.make_snapshot({}); nothing.ok()) {
      deps_.dispatcher.publish(*std::move(nothing));
    }
    for (ServiceSlot& slot : slots_.all) slot.routes.reset();
    for (ServiceSlot& slot : slots_.all) slot.live.reset();
    // A request whose connection was aborted may still wait for its runner.
    const TimePoint runners_end = clock_.now() + ServiceReaper::kRunnerExitTime;
    for (const auto& live : still_held()) live->stop_runners(runners_end);
    are_in_use = !await_release(deadline);
  }
  if (are_in_use) {
    for (const auto& live : still_held()) {
      live->stop(clock_.now() + ServiceReaper::kRunnerExitTime, true);
    }
  }
  const bool have_started = starters_.stop(deadline) == 0;
  const bool have_ended = reaper_.stop(deadline);
  // Here, because a plugin that has not ended may keep our destructor from being called.
  folder_.reset();
  return have_started && have_ended && !are_in_use;
}

// ---- look-ups and reports ----

ServiceSlot* ServiceTable::find(std::string_view service) {
  const auto at = std::find_if(slots_.all.begin(), slots_.all.end(),
                               [&](const ServiceSlot& slot) { return slot.service == service; });
  return at != slots_.all.end() ? &*at : nullptr;
}

const ServiceSlot* ServiceTable::find(std::string_view service) const {
  return const_cast<ServiceTable*>(this)->find(service);
}

std::vector<std::string> ServiceTable::services() const {
  std::vector<std::string> all;
  for (const ServiceSlot& slot : slots_.all) all.push_back(slot.service);
  return all;
}

std::vector<std::pair<std::string, std::string>> ServiceTable::files() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const ServiceSlot& slot : slots_.all) {
    all.emplace_back(slot.service, slot.path);
    // The watcher looks at the folder of each path: any name in it will do.
    for (const std::string& folder : slot.live->programs().folders()) {
      all.emplace_back(slot.service, folder + "/app.py");
    }
  }
  return all;
}

std::vector<std::pair<std::string, std::string>> ServiceTable::described_files() const {
  std::vector<std::pair<std::string, std::string>> all;
  const MutexLock lock(slots_.mutex);
  for (const ServiceSlot& slot : slots_.all) {
    for (const std::string& file : slot.current->files) all.emplace_back(slot.service, file);
  }
  return all;
}

bool ServiceTable::has_changed(std::string_view service) const {
  const ServiceSlot* slot = find(service);
  if (slot == nullptr) return false;
  const auto stamp = plugin::file_stamp(slot->path);
  std::shared_ptr<service::LiveService> live;
  GenerationPtr current;
  {
    const MutexLock lock(slots_.mutex);
    if (stamp.ok() && *stamp != slot->current->stamp && *stamp != slot->tried) return true;
    current = slot->current;
    live = current->live.lock();
  }
  if (!current->files.empty()) {
    const std::string files = state_of_files(current->files);
    const MutexLock lock(slots_.mutex);
    if (files != current->files_state && files != slot->tried_files) return true;
  }
  if (live == nullptr || live->programs().all().empty()) return false;
  const std::string sources = live->programs().sources_now();
  const MutexLock lock(slots_.mutex);
  return sources != live->programs().sources_at_start() && sources != slot->tried_sources;
}

std::string ServiceTable::names() const {
  std::string all;
  const MutexLock lock(slots_.mutex);
  for (const ServiceSlot& slot : slots_.all) {
    if (slot.options.is_around) continue;
    all += (all.empty() ? "" : ", ") + slot.service;
    if (!slot.current->version.empty()) all += " " + slot.current->version;
  }
  return all;
}

std::string ServiceTable::json() const {
  std::vector<ServiceReport> reports;
  const MutexLock lock(slots_.mutex);
  for (const ServiceSlot& slot : slots_.all) {
    ServiceReport report{slot.service, slot.path,     slot.options.prefix, slot.options.is_around,
                         slot.reloads, slot.failures, slot.last_error,     {}};
    report.generations.assign(slot.old.begin(), slot.old.end());
    report.generations.push_back(slot.current);
    reports.push_back(std::move(report));
  }
  return services_json(reports);
}

}  // namespace bentohost::reload
