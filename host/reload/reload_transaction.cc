// ServiceTable, the half that is the transaction: from a file to a generation that serves, or to a
// reason why not. All of it on the reloader's thread.
#include <prometheus/gauge.h>

#include <atomic>
#include <future>
#include <thread>
#include <utility>

#include "base/log.h"
#include "plugin/helper_libraries.h"
#include "plugin/unique_symbols.h"
#include "reload/report.h"
#include "reload/sample_request.h"
#include "reload/service_table.h"

namespace bentohost::reload {
namespace {

constexpr std::size_t kKeptEnded = 8;  // generations that json() still tells of
constexpr Duration kPoll = std::chrono::milliseconds(1);

Status cancelled() { return Status(BENTO_UNAVAILABLE, "the server is shutting down"); }

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
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

ReloadResult ServiceTable::reload(std::string_view service, bool force) {
  ReloadResult outcome{{}, "ok", 0, Progress(clock_)};
  ServiceSlot* slot = find(service);
  if (slot == nullptr) {
    outcome.status = Status(BENTO_NOT_FOUND,
                            "there is no service " + std::string(service) + "; here is " + names());
    outcome.result = "unknown";
    return outcome;
  }
  bool is_unchanged = false;
  outcome.status = bring_up(*slot, force, outcome.progress, is_unchanged);
  if (!outcome.status.ok()) {
    outcome.result = name_of(outcome.progress.step());
  } else if (is_unchanged) {
    outcome.result = "unchanged";
  }
  outcome.progress.end();
  outcome.generation = slot->current->number;
  note(*slot, outcome);
  return outcome;
}

Status ServiceTable::bring_up(ServiceSlot& slot, bool force, Progress& progress,
                              bool& is_unchanged) {
  progress.enter(Step::kCopy);
  const auto stamp = plugin::file_stamp(slot.path);
  is_unchanged = !force && stamp.ok() && *stamp == slot.current->stamp;
  if (is_unchanged) return {};
  auto staged = copy_plugin(*folder_, slot.path, options_.stage, progress);
  if (stamp.ok() && progress.step() != Step::kCopy) {
    std::lock_guard lock(mutex_);
    slot.tried = *stamp;
  }
  if (!staged.ok()) return std::move(staged).take_status();
  const auto same = plugin::same_bytes(staged->copy->readable(), slot.current->copy->readable());
  is_unchanged = !force && same.ok() && *same;
  if (is_unchanged) {
    std::lock_guard lock(mutex_);
    slot.current->stamp = staged->stamp;  // touched, or built again to the same
    return {};
  }
  StageOptions stage = options_.stage;
  stage.cancelled = &are_cancelled_;
  Status tried = try_plugin(*staged, stage, true, progress);
  if (!tried.ok()) return tried;
  if (staged->service != slot.service) {
    progress.enter(Step::kProbe);
    return Status(BENTO_FAILED_PRECONDITION, slot.path + ": is of a service called " +
                                                 staged->service + ", not " + slot.service);
  }

  const std::string context = slot.path + ": ";
  progress.enter(Step::kSymbols);
  Status status = plugin::check_unique_symbols(staged->facts, staged->brought);
  if (!status.ok()) return std::move(status).prefixed(context);
  progress.enter(Step::kLibraries);
  status = plugin::check_helper_libraries(staged->brought);
  if (!status.ok()) return std::move(status).prefixed(context);

  const auto candidate = std::make_shared<Candidate>();
  candidate->generation = make_generation(slot, *staged);
  progress.enter(Step::kLoad);
  auto live = load(slot, *staged, candidate->generation);
  if (!live.ok()) return std::move(live).take_status();
  candidate->live = *std::move(live);
  progress.enter(Step::kCreate);
  status = within_limit(progress, candidate, &service::LiveService::create);
  if (!status.ok()) return status;
  progress.enter(Step::kOnStartup);
  status = within_limit(progress, candidate, &service::LiveService::start);
  if (!status.ok()) return status;
  service::RunnerOptions runners = options_.runners;
  runners.starts_at_low_priority = true;
  candidate->live->start_runners(runners, {deps_.loops, deps_.launcher, clock_, deps_.metrics});
  progress.enter(Step::kRoutes);
  if (status = make_snapshot(*candidate, &slot); !status.ok()) return status;
  progress.enter(Step::kRunners);
  if (status = await_runners(*candidate->live); !status.ok()) return status;
  if (options_.tries_samples) {
    progress.enter(Step::kSample);
    if (status = try_samples(*candidate, slot); !status.ok()) return status;
  }
  progress.enter(Step::kOnReady);
  status = within_limit(progress, candidate, &service::LiveService::ready);
  if (!status.ok()) return status;
  progress.enter(Step::kSwap);
  swap(slot, *candidate);
  return {};
}

// A call that does not return keeps its thread and its candidate, which ends when it does.
Status ServiceTable::within_limit(Progress& progress, const std::shared_ptr<Candidate>& candidate,
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
  return Status(BENTO_DEADLINE_EXCEEDED, "service " + candidate->generation->service + ": " +
                                             name_of(progress.step()) + " did not return within " +
                                             seconds_text(options_.start_limit) +
                                             " (--reload-timeout); it is left behind");
}

Status ServiceTable::await_runners(const service::LiveService& live) const {
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

Status ServiceTable::try_samples(const Candidate& candidate, const ServiceSlot& slot) const {
  for (const auto& [its_slot, routes] : candidate.routes) {
    if (its_slot != &slot) continue;
    for (const plugin::ApiSpec& api : candidate.live->spec().apis) {
      const bool is_json = api.in.kind == BENTO_JSON || api.in.kind == BENTO_TENSOR;
      if (api.in.sample.empty() || !is_json) continue;
      const std::string path = slot.options.prefix + api.route;
      for (const service::Route& route : routes->routes()) {
        if (route.path != path || route.method != api.http_method || route.has_parameters) continue;
        Status status = try_route(deps_.dispatcher, {routes, &route}, "application/json",
                                  api.in.sample, clock_, options_.start_limit);
        if (!status.ok()) return status;
      }
    }
  }
  return {};
}

void ServiceTable::swap(ServiceSlot& slot, Candidate& candidate) {
  deps_.dispatcher.publish(candidate.snapshot);
  candidate.snapshot.reset();
  const GenerationPtr old = slot.current;
  old->replaced_at = clock_.now();
  old->state = State::kDraining;
  candidate.generation->state = State::kServing;
  deps_.metrics.generation(slot.service).Set(static_cast<double>(candidate.generation->number));
  {
    std::lock_guard lock(mutex_);
    slot.current = candidate.generation;
    slot.old.push_back(old);
    // Those in use are told of, however many they are.
    for (auto it = slot.old.begin(); it != slot.old.end() && slot.old.size() > kKeptEnded;) {
      it = has_ended(*it) ? slot.old.erase(it) : std::next(it);
    }
  }
  for (auto& [its_slot, routes] : candidate.routes) its_slot->routes = std::move(routes);
  slot.live = std::move(candidate.live);  // the old one's last holder may have been this
}

void ServiceTable::note(ServiceSlot& slot, const ReloadResult& outcome) {
  deps_.metrics.count_reload(slot.service, outcome.result);
  const std::int64_t took = milliseconds(outcome.progress.total());
  if (!outcome.status.ok()) {
    log_error("reload failed, generation " + std::to_string(outcome.generation) +
                  " serves on: " + outcome.status.message(),
              {{"service", slot.service}, {"step", outcome.result}, {"took_ms", took}});
  } else if (outcome.result == "ok") {
    log_info("reloaded", {{"service", slot.service},
                          {"generation", outcome.generation},
                          {"version", slot.current->version},
                          {"took_ms", took}});
  } else {
    log(LogLevel::kDebug, "nothing to reload: the file is the one that serves",
        {{"service", slot.service}});
  }
  std::lock_guard lock(mutex_);
  if (outcome.result == "ok") ++slot.reloads;
  if (outcome.status.ok()) return;
  ++slot.failures;
  slot.last_error = error_json(outcome.result, outcome.status.message());
}

}  // namespace bentohost::reload
