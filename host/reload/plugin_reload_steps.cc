#include "reload/plugin_reload_steps.h"

#include <prometheus/gauge.h>

#include <cstddef>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "json/json.h"
#include "plugin/helper_libraries.h"
#include "plugin/unique_symbols.h"
#include "reload/sample_request.h"

namespace bentohost::reload {
namespace {

constexpr std::size_t kKeptEnded = 8;  // generations that json() still reports

bool has_ended(const GenerationPtr& generation) {
  return generation->state == State::kRetired || generation->state == State::kUnmapped;
}

// A body of JSON for a trial; empty if there is no sample of an input that it needs.
std::string sample_body(const std::vector<plugin::IoSpec>& ins) {
  const auto has_sample = [](const plugin::IoSpec& in) {
    return !in.sample.empty() && (in.kind == BENTO_JSON || in.kind == BENTO_TENSOR);
  };
  if (!plugin::are_named(ins)) return has_sample(ins.front()) ? ins.front().sample : std::string();
  std::string body;
  for (const plugin::IoSpec& in : ins) {
    if (has_sample(in)) {
      body += (body.empty() ? "{" : ",") + quote_json(in.name) + ":" + in.sample;
    } else if (!in.is_optional) {
      return {};
    }
  }
  return body.empty() ? body : body + "}";
}

}  // namespace

PluginReloadSteps::PluginReloadSteps(ServiceSlot& slot, const Options& options, const Deps& deps)
    : slot_(slot),
      options_(options),
      deps_(deps),
      stamp_(plugin::file_stamp(slot.path)),
      sources_(slot.live->programs().sources_now()),
      files_(state_of_files(slot.current->files)),
      routing_(deps.dispatcher, deps.slots) {}

ReloadSteps::Serving PluginReloadSteps::serving() const {
  return {slot_.service, slot_.current->number, slot_.current->version};
}

// ---- the file ----

bool PluginReloadSteps::is_file_serving() const {
  return stamp_.ok() && *stamp_ == slot_.current->stamp && are_other_files_serving();
}

// Whether the mounted programs run with their files, and the description was made from its files,
// as these are now.
bool PluginReloadSteps::are_other_files_serving() const {
  const service::MountedPrograms& programs = slot_.live->programs();
  return sources_ == programs.sources_at_start() && files_ == slot_.current->files_state;
}

Status PluginReloadSteps::copy(Progress& progress) {
  auto staged = copy_plugin(deps_.folder, slot_.path, options_.stage, progress);
  if (stamp_.ok() && progress.step() != Step::kCopy) {
    const MutexLock lock(deps_.slots.mutex);
    slot_.tried = *stamp_;
    slot_.tried_sources = sources_;
    slot_.tried_files = files_;
  }
  if (!staged.ok()) return std::move(staged).take_status();
  staged_ = *std::move(staged);
  staged_->config.instance = slot_.options.instance;
  return {};
}

bool PluginReloadSteps::is_copy_serving() {
  if (!are_other_files_serving()) return false;
  const auto same = plugin::same_bytes(staged_->copy->readable(), slot_.current->copy->readable());
  if (!same.ok() || !*same) return false;
  const MutexLock lock(deps_.slots.mutex);
  slot_.current->stamp = staged_->stamp;  // touched, or rebuilt with the same bytes
  return true;
}

Status PluginReloadSteps::probe(Progress& progress) {
  if (Status status = try_plugin(*staged_, options_.stage, true, progress); !status.ok()) {
    return status;
  }
  const std::string& own_name = slot_.current->own_name;
  if (staged_->own_name == own_name) return {};
  progress.enter(Step::kProbe);
  return Status(BENTO_FAILED_PRECONDITION,
                slot_.path + ": is of a service called " + staged_->own_name + ", not " + own_name);
}

Status PluginReloadSteps::check_symbols() {
  Status status = plugin::check_unique_symbols(staged_->facts, staged_->brought);
  return status.ok() ? Status() : std::move(status).prefixed(slot_.path + ": ");
}

Status PluginReloadSteps::check_libraries() {
  Status status = plugin::check_helper_libraries(staged_->brought);
  return status.ok() ? Status() : std::move(status).prefixed(slot_.path + ": ");
}

// ---- the candidate ----

Status PluginReloadSteps::load() {
  auto loaded = load_generation(slot_, *staged_, deps_.reaper);
  if (!loaded.ok()) return std::move(loaded).take_status();
  generation_ = std::move(loaded->generation);
  live_ = std::move(loaded->live);
  live_->offer_extensions(deps_.runners.metrics);
  return {};
}

std::function<Status()> PluginReloadSteps::plugin_call(Step step) {
  if (step == Step::kCreate) return [live = live_] { return live->create(); };
  if (step == Step::kOnStartup) return [live = live_] { return live->start(); };
  return [live = live_] { return live->ready(); };
}

void PluginReloadSteps::start_runners() {
  service::RunnerOptions options = options_.runners;
  options.starts_at_low_priority = true;
  live_->start_runners(options, deps_.runners);
}

Status PluginReloadSteps::make_routes() { return routing_.add(slot_, live_); }

Result<bool> PluginReloadSteps::are_runners_warm() const { return live_->is_warm(); }

std::string PluginReloadSteps::missing_runners() const { return live_->readiness().message(); }

Status PluginReloadSteps::try_samples() {
  const service::ServiceRoutesPtr routes = routing_.routes_of(slot_);
  if (routes == nullptr) return {};  // only middleware
  for (const plugin::ApiSpec& api : live_->spec().apis) {
    const std::string sample = sample_body(api.ins);
    if (sample.empty()) continue;
    const std::string path = slot_.options.prefix + api.route;
    for (const service::Route& route : routes->routes()) {
      if (route.path != path || route.method != api.http_method || route.has_parameters) continue;
      Status status = try_route(deps_.dispatcher, {routes, &route}, "application/json", sample,
                                deps_.runners.clock, options_.sample_limit);
      if (!status.ok()) return status;
    }
  }
  return {};
}

// ---- the swap ----

void PluginReloadSteps::swap() {
  routing_.publish();
  const GenerationPtr old = slot_.current;
  old->replaced_at = deps_.runners.clock.now();
  old->state = State::kDraining;
  generation_->state = State::kServing;
  deps_.runners.metrics.generation(slot_.service).Set(static_cast<double>(generation_->number));
  keep(old);
  routing_.hand_over();
  slot_.live->programs().end_tunnels();  // their clients connect again, to the new generation
  slot_.live = std::move(live_);         // this may drop the last pointer to the old service
}

// Makes the new generation the slot's current one, and keeps the old one for reports.
void PluginReloadSteps::keep(const GenerationPtr& old) {
  const MutexLock lock(deps_.slots.mutex);
  slot_.current = generation_;
  slot_.old.push_back(old);
  // Generations in use are all kept, however many there are.
  for (auto it = slot_.old.begin(); it != slot_.old.end() && slot_.old.size() > kKeptEnded;) {
    it = has_ended(*it) ? slot_.old.erase(it) : std::next(it);
  }
}

}  // namespace bentohost::reload
