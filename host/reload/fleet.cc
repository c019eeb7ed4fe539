#include "reload/fleet.h"

#include <prometheus/gauge.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <future>
#include <thread>
#include <utility>

#include "base/log.h"
#include "plugin/helper_libraries.h"
#include "plugin/library.h"
#include "reload/report.h"
#include "reload/trial.h"

namespace bentohost::reload {
namespace {

constexpr std::size_t kStarters = 16;
constexpr std::size_t kKeptEnded = 8;  // generations that json() still tells of
constexpr Duration kDrainWarning = std::chrono::seconds(60);
constexpr Duration kPoll = std::chrono::milliseconds(1);

Status invalid(std::string message) { return Status(BENTO_INVALID_ARGUMENT, std::move(message)); }

Status cancelled() { return Status(BENTO_UNAVAILABLE, "the server is shutting down"); }

std::string milliseconds(Duration duration) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
}

// A call into a plugin that may not return: made by the one of the two who takes it, or not at all.
struct LimitedCall {
  std::atomic<bool> is_taken = false;
  std::promise<Status> result;
};

bool has_ended(const GenerationPtr& generation) {
  return generation->state == State::kRetired || generation->state == State::kUnmapped;
}

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

// ---- the start
// -----------------------------------------------------------------------------------

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
      return invalid("--use " + seat.options.around + ":" + seat.options.name +
                     ": there is no such service");
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
  auto loaded = service::LiveService::load(std::move(staged.config), seat.options.prefix);
  if (!loaded.ok()) return std::move(loaded).take_status();
  plugin::note_helper_libraries(staged.facts);
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
      seat.live->start_runners(options_.runners, deps_.loops, clock_, deps_.metrics);
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

Status Fleet::ready() {
  for (const bool is_around : {true, false}) {
    for (Seat& seat : seats_) {
      if (seat.options.is_around != is_around) continue;
      if (Status status = seat.live->ready(); !status.ok()) return status;
    }
  }
  return {};
}

// ---- parts and site
// ------------------------------------------------------------------------------

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

// ---- the transaction
// -----------------------------------------------------------------------------

Outcome Fleet::reload(std::string_view service, bool force) {
  Outcome outcome{{}, "ok", 0, Progress(clock_)};
  Seat* seat = find(service);
  if (seat == nullptr) {
    outcome.status = Status(BENTO_NOT_FOUND,
                            "there is no service " + std::string(service) + "; here is " + names());
    outcome.result = "unknown";
    return outcome;
  }
  bool is_unchanged = false;
  outcome.status = bring_up(*seat, force, outcome.progress, is_unchanged);
  if (!outcome.status.ok()) {
    outcome.result = name_of(outcome.progress.step());
  } else if (is_unchanged) {
    outcome.result = "unchanged";
  }
  outcome.progress.end();
  outcome.generation = seat->current->number;
  note(*seat, outcome);
  return outcome;
}

Status Fleet::bring_up(Seat& seat, bool force, Progress& progress, bool& is_unchanged) {
  progress.enter(Step::kCopy);
  const auto stamp = plugin::CopyFolder::stamp(seat.path);
  is_unchanged = !force && stamp.ok() && *stamp == seat.current->stamp;
  if (is_unchanged) return {};
  auto staged = copy_plugin(*folder_, seat.path, options_.stage, progress);
  if (stamp.ok() && progress.step() != Step::kCopy) {
    std::lock_guard lock(mutex_);
    seat.tried = *stamp;
  }
  if (!staged.ok()) return std::move(staged).take_status();
  const auto same = plugin::same_bytes(staged->copy->path(), seat.current->copy->path());
  is_unchanged = !force && same.ok() && *same;
  if (is_unchanged) {
    std::lock_guard lock(mutex_);
    seat.current->stamp = staged->stamp;  // touched, or built again to the same
    return {};
  }
  Status tried = try_plugin(*staged, options_.stage, true, progress);
  if (!tried.ok()) return tried;
  if (staged->service != seat.service) {
    progress.enter(Step::kProbe);
    return Status(BENTO_FAILED_PRECONDITION, seat.path + ": is of a service called " +
                                                 staged->service + ", not " + seat.service);
  }

  const auto candidate = std::make_shared<Candidate>();
  candidate->generation = make_generation(seat, *staged);
  progress.enter(Step::kLoad);
  auto live = load(seat, *staged, candidate->generation);
  if (!live.ok()) return std::move(live).take_status();
  candidate->live = *std::move(live);
  progress.enter(Step::kCreate);
  Status status = within_limit(progress, candidate, &service::LiveService::create);
  if (!status.ok()) return status;
  progress.enter(Step::kOnStartup);
  status = within_limit(progress, candidate, &service::LiveService::start);
  if (!status.ok()) return status;
  service::RunnerOptions runners = options_.runners;
  runners.starts_gently = true;
  candidate->live->start_runners(runners, deps_.loops, clock_, deps_.metrics);
  progress.enter(Step::kRoutes);
  if (status = make_site(*candidate, &seat); !status.ok()) return status;
  progress.enter(Step::kRunners);
  if (status = await_runners(*candidate->live); !status.ok()) return status;
  if (options_.tries_samples) {
    progress.enter(Step::kSample);
    if (status = try_samples(*candidate, seat); !status.ok()) return status;
  }
  progress.enter(Step::kOnReady);
  status = within_limit(progress, candidate, &service::LiveService::ready);
  if (!status.ok()) return status;
  progress.enter(Step::kSwap);
  swap(seat, *candidate);
  return {};
}

// A call that does not return keeps its thread and its candidate, which ends when it does.
Status Fleet::within_limit(Progress& progress, const std::shared_ptr<Candidate>& candidate,
                           Status (service::LiveService::*step)()) {
  const auto call = std::make_shared<LimitedCall>();
  auto future = call->result.get_future();
  starters_.run([call, live = candidate->live, step] {
    if (!call->is_taken.exchange(true)) call->result.set_value((*live.*step)());
  });
  const TimePoint deadline = clock_.now() + options_.start_limit;
  while (!are_cancelled_ && clock_.now() < deadline) {
    if (future.wait_for(kPoll) == std::future_status::ready) return future.get();
  }
  const bool is_begun = call->is_taken.exchange(true);
  if (are_cancelled_) return cancelled();
  if (!is_begun) {  // no thread has come to it, and none will now
    return Status(BENTO_RESOURCE_EXHAUSTED, "service " + candidate->generation->service + ": " +
                                                name_of(progress.step()) +
                                                " was not called: " + std::to_string(kStarters) +
                                                " others have never returned; restart bentohost");
  }
  return Status(BENTO_DEADLINE_EXCEEDED,
                "service " + candidate->generation->service + ": " + name_of(progress.step()) +
                    " did not return within " +
                    std::to_string(static_cast<int>(seconds(options_.start_limit))) +
                    " s (--reload-timeout); it is left behind");
}

Status Fleet::await_runners(const service::LiveService& live) const {
  const TimePoint deadline = clock_.now() + options_.start_limit;
  for (;; std::this_thread::sleep_for(kPoll)) {
    auto warm = live.is_warm();
    if (!warm.ok()) return std::move(warm).take_status();
    if (*warm) return {};
    if (are_cancelled_) return cancelled();
    if (clock_.now() >= deadline) {
      return Status(BENTO_UNAVAILABLE,
                    live.runners().readiness().message() + ", after --reload-timeout");
    }
  }
}

Status Fleet::try_samples(const Candidate& candidate, const Seat& seat) const {
  for (const auto& [its_seat, part] : candidate.parts) {
    if (its_seat != &seat) continue;
    for (const plugin::ApiSpec& api : candidate.live->spec().apis) {
      const bool is_json = api.in.kind == BENTO_JSON || api.in.kind == BENTO_TENSOR;
      if (api.in.sample.empty() || !is_json) continue;
      const std::string path = seat.options.prefix + api.route;
      for (const service::Route& route : part->routes()) {
        if (route.path != path || route.method != api.http_method || route.has_parameters) continue;
        Status status = try_route(deps_.dispatcher, {part, &route}, "application/json",
                                  api.in.sample, clock_, options_.start_limit);
        if (!status.ok()) return status;
      }
    }
  }
  return {};
}

void Fleet::swap(Seat& seat, Candidate& candidate) {
  deps_.dispatcher.publish(candidate.site);
  candidate.site.reset();
  const GenerationPtr old = seat.current;
  old->replaced_at = clock_.now();
  old->state = State::kDraining;
  candidate.generation->state = State::kServing;
  deps_.metrics.generation(seat.service).Set(static_cast<double>(candidate.generation->number));
  {
    std::lock_guard lock(mutex_);
    seat.current = candidate.generation;
    seat.old.push_back(old);
    // Those in use are told of, however many they are.
    for (auto it = seat.old.begin(); it != seat.old.end() && seat.old.size() > kKeptEnded;) {
      it = has_ended(*it) ? seat.old.erase(it) : std::next(it);
    }
  }
  for (auto& [its_seat, part] : candidate.parts) its_seat->part = std::move(part);
  seat.live = std::move(candidate.live);  // the old one's last holder may have been this
}

void Fleet::note(Seat& seat, const Outcome& outcome) {
  deps_.metrics.count_reload(seat.service, outcome.result);
  const std::string took = milliseconds(outcome.progress.total());
  if (!outcome.status.ok()) {
    log_error("reload failed, generation " + std::to_string(outcome.generation) +
                  " serves on: " + outcome.status.message(),
              {{"service", seat.service}, {"step", outcome.result}, {"took_ms", took}});
  } else if (outcome.result == "ok") {
    log_info("reloaded", {{"service", seat.service},
                          {"generation", std::to_string(outcome.generation)},
                          {"version", seat.current->version},
                          {"took_ms", took}});
  } else {
    log(LogLevel::kDebug, "nothing to reload: the file is the one that serves",
        {{"service", seat.service}});
  }
  std::lock_guard lock(mutex_);
  if (outcome.result == "ok") ++seat.reloads;
  if (outcome.status.ok()) return;
  ++seat.failures;
  seat.last_error = error_json(outcome.result, outcome.status.message());
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
    log_warning("a replaced generation is still in use, and its runners with it",
                {{"service", old->service},
                 {"generation", std::to_string(old->number)},
                 {"requests", std::to_string(old->leases())}});
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

// ---- what there is
// -------------------------------------------------------------------------------

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
  const auto stamp = plugin::CopyFolder::stamp(seat->path);
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
