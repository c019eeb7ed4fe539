#include "reload/service_table.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <filesystem>
#include <thread>
#include <utility>

#include "base/log.h"
#include "plugin/helper_libraries.h"
#include "plugin/library.h"
#include "plugin/unique_symbols.h"
#include "reload/report.h"

namespace bentohost::reload {
namespace {

constexpr Duration kDrainWarning = std::chrono::seconds(60);
constexpr Duration kPoll = std::chrono::milliseconds(1);

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

}  // namespace

ServiceTable::ServiceTable(ServiceTableOptions options, Deps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      clock_(deps_.request_deps.clock),
      retirer_(clock_, deps_.metrics, options_.unmaps),
      starters_(kStarters, kStarters) {
  for (const ServiceSlotOptions& slot : options_.slots) slots_.emplace_back().options = slot;
}

ServiceTable::~ServiceTable() = default;

// ---- the start ----

Result<Staged> ServiceTable::stage(ServiceSlot& slot, Progress& progress) {
  auto path = plugin::find_plugin(slot.options.library, options_.plugin_folders);
  if (!path.ok()) return std::move(path).take_status();
  slot.path = *std::move(path);
  StageOptions at_once = options_.stage;
  at_once.quiet = Duration::zero();
  auto staged = copy_plugin(*folder_, slot.path, at_once, progress);
  if (!staged.ok()) return staged;
  if (Status status = try_plugin(*staged, at_once, false, progress); !status.ok()) return status;
  slot.service = staged->service;
  return staged;
}

Status ServiceTable::check_start(const std::vector<Staged>& staged) const {
  for (const ServiceSlot& slot : slots_) {
    if (!slot.options.is_around || slot.options.around.empty()) continue;
    const bool known = std::any_of(slots_.begin(), slots_.end(), [&](const ServiceSlot& other) {
      return !other.options.is_around && other.service == slot.options.around;
    });
    if (!known) {
      std::string all;
      for (const ServiceSlot& other : slots_) {
        if (!other.options.is_around) all += (all.empty() ? "" : ", ") + other.service;
      }
      return invalid("--use " + slot.options.around + ":" + slot.options.name +
                     ": there is no such service; here is " + all);
    }
  }
  for (const Staged& one : staged) {
    const auto same = std::count_if(staged.begin(), staged.end(), [&](const Staged& other) {
      return other.service == one.service;
    });
    if (same > 1) {
      return invalid("two plugins are called " + one.service + ": a service's name is its own");
    }
  }
  std::vector<std::string> runners;
  for (const Staged& one : staged) {
    runners.insert(runners.end(), one.runners.begin(), one.runners.end());
  }
  return options_.check_names(services(), runners);
}

GenerationPtr ServiceTable::make_generation(const ServiceSlot& slot, const Staged& staged) const {
  auto generation = std::make_shared<Generation>();
  generation->service = slot.service;
  generation->number = slot.current != nullptr ? slot.current->number + 1 : 1;
  generation->version = staged.version;
  generation->build_id = staged.facts.build_id;
  generation->loaded_at = std::chrono::system_clock::now();
  generation->copy = staged.copy;
  generation->stamp = staged.stamp;
  return generation;
}

Result<std::shared_ptr<service::LiveService>> ServiceTable::load(const ServiceSlot& slot,
                                                                 Staged& staged,
                                                                 const GenerationPtr& generation) {
  // Whatever becomes of it, what the loader has bound stays bound.
  plugin::note_unique_symbols(slot.path, staged.facts, staged.brought);
  auto loaded = service::LiveService::load(std::move(staged.config), slot.options.prefix);
  plugin::note_helper_libraries(slot.path, staged.brought, *staged.copy);
  if (!loaded.ok()) return std::move(loaded).take_status();
  auto live = retirer_.adopt(*std::move(loaded), generation);
  generation->live = live;
  const plugin::ServiceSpec& spec = live->spec();
  if (slot.options.is_around && (!spec.apis.empty() || !spec.mounts.empty() ||
                                 !spec.runners.empty() || spec.middleware.empty())) {
    return invalid("--use " + spec.name +
                   ": it is a service, to be served with --plugin, and no middleware alone");
  }
  return live;
}

Status ServiceTable::start() {
  auto folder = plugin::CopyFolder::create(options_.copy_dir);
  if (!folder.ok()) return std::move(folder).take_status();
  folder_ = *std::move(folder);

  std::vector<Staged> staged;
  for (ServiceSlot& slot : slots_) {
    Progress progress(clock_);
    const std::string context =
        slot.options.is_around ? "--use " + slot.options.name + ": " : std::string();
    auto one = stage(slot, progress);
    if (!one.ok()) return std::move(one).take_status().prefixed(context);
    if (!slot.options.name.empty() && one->service != slot.options.name) {
      return invalid(context + slot.path + " is of a service called " + one->service);
    }
    staged.push_back(*std::move(one));
  }
  if (Status status = check_start(staged); !status.ok()) return status;

  for (std::size_t i = 0; i < slots_.size(); ++i) {
    ServiceSlot& slot = slots_[i];
    const std::string context = slot.path + ": ";
    // Between two plugins it may even be meant.
    Status status = plugin::check_unique_symbols(staged[i].facts, staged[i].brought);
    if (!status.ok()) log_warning(context + status.message());
    if (status = plugin::check_helper_libraries(staged[i].brought); !status.ok()) {
      return std::move(status).prefixed(context);
    }
    const GenerationPtr generation = make_generation(slot, staged[i]);
    auto live = load(slot, staged[i], generation);
    if (!live.ok()) return std::move(live).take_status();
    slot.live = *std::move(live);
    std::lock_guard lock(mutex_);
    slot.current = generation;
  }
  // Those around first: what they wrap may ask for them at once.
  for (const bool is_around : {true, false}) {
    for (ServiceSlot& slot : slots_) {
      if (slot.options.is_around != is_around) continue;
      if (Status status = slot.live->create(); !status.ok()) return status;
      if (Status status = slot.live->start(); !status.ok()) return status;
      slot.live->start_runners(options_.runners,
                               {deps_.loops, deps_.launcher, clock_, deps_.metrics});
    }
  }
  Candidate all;
  for (ServiceSlot& slot : slots_) {
    if (Status status = make_snapshot(all, &slot); !status.ok()) return status;
  }
  for (auto& [slot, routes] : all.routes) slot->routes = routes;
  deps_.dispatcher.publish(all.snapshot);
  for (ServiceSlot& slot : slots_) {
    slot.current->state = State::kServing;
    deps_.metrics.generation(slot.service).Set(1);
  }
  return {};
}

Status ServiceTable::may_get_ready() const {
  for (const ServiceSlot& slot : slots_) {
    if (Status status = slot.live->may_get_ready(); !status.ok()) {
      return std::move(status).prefixed("service " + slot.service + " cannot start: ");
    }
  }
  return {};
}

Status ServiceTable::ready() {
  for (const bool is_around : {true, false}) {
    for (ServiceSlot& slot : slots_) {
      if (slot.options.is_around != is_around) continue;
      if (Status status = slot.live->ready(); !status.ok()) return status;
    }
  }
  return {};
}

// ---- routes and snapshot ----

// What goes around `service`, with the candidate's in place of that of the slot `but`.
std::vector<std::shared_ptr<const service::LiveService>> ServiceTable::around(
    const std::string& service, const ServiceSlot* but, const Candidate* candidate) const {
  std::vector<std::shared_ptr<const service::LiveService>> all;
  for (const ServiceSlot& slot : slots_) {
    if (!slot.options.is_around) continue;
    if (!slot.options.around.empty() && slot.options.around != service) continue;
    all.push_back(&slot == but && candidate->live != nullptr ? candidate->live : slot.live);
  }
  return all;
}

// Adds the routes that change with `slot` to the candidate's, and makes the snapshot as it will be.
// The slot's service is the candidate's, if it has one.
Status ServiceTable::make_snapshot(Candidate& candidate, ServiceSlot* slot) {
  for (ServiceSlot& each : slots_) {
    if (each.options.is_around) continue;
    const bool is_it = &each == slot;
    const bool is_wrapped = slot->options.is_around &&
                            (slot->options.around.empty() || slot->options.around == each.service);
    if (!is_it && (!is_wrapped || candidate.live == nullptr)) continue;
    const auto& live = is_it && candidate.live != nullptr ? candidate.live : each.live;
    auto routes = deps_.dispatcher.make_routes(live, around(each.service, slot, &candidate));
    if (!routes.ok()) return std::move(routes).take_status();
    candidate.routes.emplace_back(&each, *std::move(routes));
  }
  std::vector<service::ServiceRoutesPtr> all;
  for (ServiceSlot& each : slots_) {
    const auto its_new = std::find_if(candidate.routes.begin(), candidate.routes.end(),
                                      [&](const auto& pair) { return pair.first == &each; });
    const service::ServiceRoutesPtr routes =
        its_new != candidate.routes.end() ? its_new->second : each.routes;
    if (routes != nullptr) all.push_back(routes);
  }
  auto snapshot = deps_.dispatcher.make_snapshot(std::move(all));
  if (!snapshot.ok()) return std::move(snapshot).take_status();
  candidate.snapshot = *std::move(snapshot);
  return {};
}

void ServiceTable::look_after_draining() {
  std::vector<GenerationPtr> late;
  {
    std::lock_guard lock(mutex_);
    for (const ServiceSlot& slot : slots_) {
      for (const GenerationPtr& old : slot.old) {
        const bool is_late = old->state == State::kDraining && !old->was_warned_of &&
                             clock_.now() - old->replaced_at >= kDrainWarning;
        if (is_late) late.push_back(old);
      }
    }
  }
  for (const GenerationPtr& old : late) {
    old->was_warned_of = true;
    log_warning(
        "a replaced generation is still in use, and its runners with it",
        {{"service", old->service}, {"generation", old->number}, {"requests", old->leases()}});
  }
}

std::vector<std::shared_ptr<service::LiveService>> ServiceTable::still_held() const {
  std::vector<std::shared_ptr<service::LiveService>> held;
  for (const ServiceSlot& slot : slots_) {
    std::vector<GenerationPtr> all(slot.old.begin(), slot.old.end());
    if (slot.current != nullptr) all.push_back(slot.current);
    for (const GenerationPtr& generation : all) {
      if (auto live = generation->live.lock()) held.push_back(std::move(live));
    }
  }
  return held;
}

// What has been answered may be let go of a moment later.
bool ServiceTable::await_release(TimePoint deadline) const {
  while (!still_held().empty()) {
    if (clock_.now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

bool ServiceTable::stop(TimePoint deadline, bool are_in_use) {
  if (!are_in_use) {
    if (auto nothing = deps_.dispatcher.make_snapshot({}); nothing.ok()) {
      deps_.dispatcher.publish(*std::move(nothing));
    }
    for (ServiceSlot& slot : slots_) slot.routes.reset();
    for (ServiceSlot& slot : slots_) slot.live.reset();
    // A request whose connection was cut waits for its runner still.
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
  const bool have_ended = retirer_.stop(deadline);
  // Here, for who has not ended may keep our destructor from being called.
  folder_.reset();
  return have_started && have_ended && !are_in_use;
}

// ---- what there is ----

ServiceTable::ServiceSlot* ServiceTable::find(std::string_view service) {
  const auto at = std::find_if(slots_.begin(), slots_.end(),
                               [&](const ServiceSlot& slot) { return slot.service == service; });
  return at != slots_.end() ? &*at : nullptr;
}

const ServiceTable::ServiceSlot* ServiceTable::find(std::string_view service) const {
  return const_cast<ServiceTable*>(this)->find(service);
}

bool ServiceTable::has(std::string_view service) const { return find(service) != nullptr; }

std::vector<std::string> ServiceTable::services() const {
  std::vector<std::string> all;
  for (const ServiceSlot& slot : slots_) all.push_back(slot.service);
  return all;
}

std::vector<std::pair<std::string, std::string>> ServiceTable::files() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const ServiceSlot& slot : slots_) all.emplace_back(slot.service, slot.path);
  return all;
}

bool ServiceTable::has_changed(std::string_view service) const {
  const ServiceSlot* slot = find(service);
  if (slot == nullptr) return false;
  const auto stamp = plugin::file_stamp(slot->path);
  std::lock_guard lock(mutex_);
  return stamp.ok() && *stamp != slot->current->stamp && *stamp != slot->tried;
}

std::string ServiceTable::names() const {
  std::string all;
  std::lock_guard lock(mutex_);
  for (const ServiceSlot& slot : slots_) {
    if (slot.options.is_around) continue;
    all += (all.empty() ? "" : ", ") + slot.service;
    if (!slot.current->version.empty()) all += " " + slot.current->version;
  }
  return all;
}

std::string ServiceTable::json() const {
  std::vector<ServiceReport> reports;
  std::lock_guard lock(mutex_);
  for (const ServiceSlot& slot : slots_) {
    ServiceReport report{slot.service, slot.path,     slot.options.prefix, slot.options.is_around,
                         slot.reloads, slot.failures, slot.last_error,     {}};
    report.generations.assign(slot.old.begin(), slot.old.end());
    report.generations.push_back(slot.current);
    reports.push_back(std::move(report));
  }
  return services_json(reports);
}

}  // namespace bentohost::reload
