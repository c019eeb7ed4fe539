#include "reload/fleet.h"

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

Fleet::Fleet(FleetOptions options, Deps deps)
    : options_(std::move(options)),
      deps_(std::move(deps)),
      clock_(deps_.environment.clock),
      retirer_(clock_, deps_.metrics, options_.unmaps),
      starters_(kStarters, kStarters) {
  for (const SeatOptions& seat : options_.seats) seats_.emplace_back().options = seat;
}

Fleet::~Fleet() = default;

// ---- the start ----

Result<Staged> Fleet::stage(Seat& seat, Progress& progress) {
  auto path = plugin::find_plugin(seat.options.library, options_.plugin_folders);
  if (!path.ok()) return std::move(path).take_status();
  seat.path = *std::move(path);
  StageOptions at_once = options_.stage;
  at_once.quiet = Duration::zero();
  auto staged = copy_plugin(*folder_, seat.path, at_once, progress);
  if (!staged.ok()) return staged;
  if (Status status = try_plugin(*staged, at_once, false, progress); !status.ok()) return status;
  seat.service = staged->service;
  return staged;
}

Status Fleet::check_start(const std::vector<Staged>& staged) const {
  for (const Seat& seat : seats_) {
    if (!seat.options.is_around || seat.options.around.empty()) continue;
    const bool known = std::any_of(seats_.begin(), seats_.end(), [&](const Seat& other) {
      return !other.options.is_around && other.service == seat.options.around;
    });
    if (!known) {
      std::string all;
      for (const Seat& other : seats_) {
        if (!other.options.is_around) all += (all.empty() ? "" : ", ") + other.service;
      }
      return invalid("--use " + seat.options.around + ":" + seat.options.name +
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

GenerationPtr Fleet::make_generation(const Seat& seat, const Staged& staged) const {
  auto generation = std::make_shared<Generation>();
  generation->service = seat.service;
  generation->number = seat.current != nullptr ? seat.current->number + 1 : 1;
  generation->version = staged.version;
  generation->build_id = staged.facts.build_id;
  generation->loaded_at = std::chrono::system_clock::now();
  generation->copy = staged.copy;
  generation->stamp = staged.stamp;
  return generation;
}

Result<std::shared_ptr<service::LiveService>> Fleet::load(const Seat& seat, Staged& staged,
                                                          const GenerationPtr& generation) {
  // Whatever becomes of it, what the loader has bound stays bound.
  plugin::note_unique_symbols(seat.path, staged.facts, staged.brought);
  auto loaded = service::LiveService::load(std::move(staged.config), seat.options.prefix);
  plugin::note_helper_libraries(seat.path, staged.brought, *staged.copy);
  if (!loaded.ok()) return std::move(loaded).take_status();
  auto live = retirer_.adopt(*std::move(loaded), generation);
  generation->live = live;
  const plugin::ServiceSpec& spec = live->spec();
  if (seat.options.is_around && (!spec.apis.empty() || !spec.mounts.empty() ||
                                 !spec.runners.empty() || spec.middleware.empty())) {
    return invalid("--use " + spec.name +
                   ": it is a service, to be served with --plugin, and no middleware alone");
  }
  return live;
}

Status Fleet::start() {
  auto folder = plugin::CopyFolder::create(options_.copy_dir);
  if (!folder.ok()) return std::move(folder).take_status();
  folder_ = *std::move(folder);

  std::vector<Staged> staged;
  for (Seat& seat : seats_) {
    Progress progress(clock_);
    const std::string context =
        seat.options.is_around ? "--use " + seat.options.name + ": " : std::string();
    auto one = stage(seat, progress);
    if (!one.ok()) return std::move(one).take_status().prefixed(context);
    if (!seat.options.name.empty() && one->service != seat.options.name) {
      return invalid(context + seat.path + " is of a service called " + one->service);
    }
    staged.push_back(*std::move(one));
  }
  if (Status status = check_start(staged); !status.ok()) return status;

  for (std::size_t i = 0; i < seats_.size(); ++i) {
    Seat& seat = seats_[i];
    const std::string context = seat.path + ": ";
    // Between two plugins it may even be meant.
    Status status = plugin::check_unique_symbols(staged[i].facts, staged[i].brought);
    if (!status.ok()) log_warning(context + status.message());
    if (status = plugin::check_helper_libraries(staged[i].brought); !status.ok()) {
      return std::move(status).prefixed(context);
    }
    const GenerationPtr generation = make_generation(seat, staged[i]);
    auto live = load(seat, staged[i], generation);
    if (!live.ok()) return std::move(live).take_status();
    seat.live = *std::move(live);
    std::lock_guard lock(mutex_);
    seat.current = generation;
  }
  // Those around first: what they wrap may ask for them at once.
  for (const bool is_around : {true, false}) {
    for (Seat& seat : seats_) {
      if (seat.options.is_around != is_around) continue;
      if (Status status = seat.live->create(); !status.ok()) return status;
      if (Status status = seat.live->start(); !status.ok()) return status;
      seat.live->start_runners(options_.runners,
                               {deps_.loops, deps_.launcher, clock_, deps_.metrics});
    }
  }
  Candidate all;
  for (Seat& seat : seats_) {
    if (Status status = make_site(all, &seat); !status.ok()) return status;
  }
  for (auto& [seat, part] : all.parts) seat->part = part;
  deps_.dispatcher.publish(all.site);
  for (Seat& seat : seats_) {
    seat.current->state = State::kServing;
    deps_.metrics.generation(seat.service).Set(1);
  }
  return {};
}

Status Fleet::may_get_ready() const {
  for (const Seat& seat : seats_) {
    if (Status status = seat.live->may_get_ready(); !status.ok()) {
      return std::move(status).prefixed("service " + seat.service + " cannot start: ");
    }
  }
  return {};
}

Status Fleet::ready() {
  for (const bool is_around : {true, false}) {
    for (Seat& seat : seats_) {
      if (seat.options.is_around != is_around) continue;
      if (Status status = seat.live->ready(); !status.ok()) return status;
    }
  }
  return {};
}

// ---- parts and site ----

// What goes around `service`, with the candidate's in place of that of the seat `but`.
std::vector<std::shared_ptr<const service::LiveService>> Fleet::around(
    const std::string& service, const Seat* but, const Candidate* candidate) const {
  std::vector<std::shared_ptr<const service::LiveService>> all;
  for (const Seat& seat : seats_) {
    if (!seat.options.is_around) continue;
    if (!seat.options.around.empty() && seat.options.around != service) continue;
    all.push_back(&seat == but && candidate->live != nullptr ? candidate->live : seat.live);
  }
  return all;
}

// Adds the parts that change with `seat` to the candidate's, and makes the site as it will be. The
// seat's service is the candidate's, if it has one.
Status Fleet::make_site(Candidate& candidate, Seat* seat) {
  for (Seat& each : seats_) {
    if (each.options.is_around) continue;
    const bool is_it = &each == seat;
    const bool is_wrapped = seat->options.is_around &&
                            (seat->options.around.empty() || seat->options.around == each.service);
    if (!is_it && (!is_wrapped || candidate.live == nullptr)) continue;
    const auto& live = is_it && candidate.live != nullptr ? candidate.live : each.live;
    auto part = deps_.dispatcher.make_part(live, around(each.service, seat, &candidate));
    if (!part.ok()) return std::move(part).take_status();
    candidate.parts.emplace_back(&each, *std::move(part));
  }
  std::vector<service::PartPtr> parts;
  for (Seat& each : seats_) {
    const auto its_new = std::find_if(candidate.parts.begin(), candidate.parts.end(),
                                      [&](const auto& pair) { return pair.first == &each; });
    const service::PartPtr part = its_new != candidate.parts.end() ? its_new->second : each.part;
    if (part != nullptr) parts.push_back(part);
  }
  auto site = deps_.dispatcher.make_site(std::move(parts));
  if (!site.ok()) return std::move(site).take_status();
  candidate.site = *std::move(site);
  return {};
}

void Fleet::look_after_draining() {
  std::vector<GenerationPtr> late;
  {
    std::lock_guard lock(mutex_);
    for (const Seat& seat : seats_) {
      for (const GenerationPtr& old : seat.old) {
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

std::vector<std::shared_ptr<service::LiveService>> Fleet::still_held() const {
  std::vector<std::shared_ptr<service::LiveService>> held;
  for (const Seat& seat : seats_) {
    std::vector<GenerationPtr> all(seat.old.begin(), seat.old.end());
    if (seat.current != nullptr) all.push_back(seat.current);
    for (const GenerationPtr& generation : all) {
      if (auto live = generation->live.lock()) held.push_back(std::move(live));
    }
  }
  return held;
}

// What has been answered may be let go of a moment later.
bool Fleet::await_release(TimePoint deadline) const {
  while (!still_held().empty()) {
    if (clock_.now() >= deadline) return false;
    std::this_thread::sleep_for(kPoll);
  }
  return true;
}

bool Fleet::stop(TimePoint deadline, bool are_in_use) {
  if (!are_in_use) {
    if (auto nothing = deps_.dispatcher.make_site({}); nothing.ok()) {
      deps_.dispatcher.publish(*std::move(nothing));
    }
    for (Seat& seat : seats_) seat.part.reset();
    for (Seat& seat : seats_) seat.live.reset();
    // A request whose connection was cut waits for its runner still.
    const TimePoint runners_end = clock_.now() + Retirer::kRunnerExitTime;
    for (const auto& live : still_held()) live->stop_runners(runners_end);
    are_in_use = !await_release(deadline);
  }
  if (are_in_use) {
    for (const auto& live : still_held()) {
      live->stop(clock_.now() + Retirer::kRunnerExitTime, true);
    }
  }
  const bool have_started = starters_.stop(deadline) == 0;
  const bool have_ended = retirer_.stop(deadline);
  // Here, for who has not ended may keep our destructor from being called.
  folder_.reset();
  return have_started && have_ended && !are_in_use;
}

// ---- what there is ----

Fleet::Seat* Fleet::find(std::string_view service) {
  const auto at = std::find_if(seats_.begin(), seats_.end(),
                               [&](const Seat& seat) { return seat.service == service; });
  return at != seats_.end() ? &*at : nullptr;
}

const Fleet::Seat* Fleet::find(std::string_view service) const {
  return const_cast<Fleet*>(this)->find(service);
}

bool Fleet::has(std::string_view service) const { return find(service) != nullptr; }

std::vector<std::string> Fleet::services() const {
  std::vector<std::string> all;
  for (const Seat& seat : seats_) all.push_back(seat.service);
  return all;
}

std::vector<std::pair<std::string, std::string>> Fleet::files() const {
  std::vector<std::pair<std::string, std::string>> all;
  for (const Seat& seat : seats_) all.emplace_back(seat.service, seat.path);
  return all;
}

bool Fleet::has_changed(std::string_view service) const {
  const Seat* seat = find(service);
  if (seat == nullptr) return false;
  const auto stamp = plugin::file_stamp(seat->path);
  std::lock_guard lock(mutex_);
  return stamp.ok() && *stamp != seat->current->stamp && *stamp != seat->tried;
}

std::string Fleet::names() const {
  std::string all;
  std::lock_guard lock(mutex_);
  for (const Seat& seat : seats_) {
    if (seat.options.is_around) continue;
    all += (all.empty() ? "" : ", ") + seat.service;
    if (!seat.current->version.empty()) all += " " + seat.current->version;
  }
  return all;
}

std::string Fleet::json() const {
  std::vector<SeatReport> reports;
  std::lock_guard lock(mutex_);
  for (const Seat& seat : seats_) {
    SeatReport report{seat.service, seat.path,     seat.options.prefix, seat.options.is_around,
                      seat.reloads, seat.failures, seat.last_error,     {}};
    report.generations.assign(seat.old.begin(), seat.old.end());
    report.generations.push_back(seat.current);
    reports.push_back(std::move(report));
  }
  return fleet_json(reports);
}

}  // namespace bentohost::reload
