#include "service/live_service.h"

#include <utility>

#include "base/log.h"
#include "mount/parse.h"
#include "runner/hello.h"

namespace bentohost::service {
namespace {

// Long enough for any loop that is not stuck.
constexpr Duration kTurnTime = std::chrono::seconds(2);

// The plugin's own mounts of programs, and `more`. Relative folders are meant from the plugin's.
std::vector<mount::Mount> all_mounts(const plugin::Instance& instance, const std::string& prefix,
                                     std::vector<mount::Mount> more) {
  std::vector<mount::Mount> mounts;
  for (const plugin::MountSpec& spec : instance.spec().mounts) {
    if (!spec.program) continue;
    mounts.push_back({prefix + (spec.prefix == "/" ? "" : spec.prefix), *spec.program});
    mount::resolve_paths(mounts.back().app, instance.config().file.dir());
  }
  for (mount::Mount& mount : more) mounts.push_back(std::move(mount));
  return mounts;
}

}  // namespace

Result<std::unique_ptr<LiveService>> LiveService::load(plugin::PluginConfig config,
                                                       std::string prefix,
                                                       std::vector<mount::Mount> mounts) {
  // Not known to the first lines of a service that goes by its own name.
  const auto name = std::make_shared<std::string>(config.instance);
  auto instance = plugin::Instance::load(
      std::move(config),
      [name](LogLevel level, std::string_view message, std::span<const LogField> fields) {
        std::vector<LogField> all(fields.begin(), fields.end());
        if (!name->empty()) all.emplace_back("service", *name);
        log_fields(level, message, all.data(), all.size());
      });
  if (!instance.ok()) return std::move(instance).take_status();
  *name = (*instance)->spec().name;
  return std::make_unique<LiveService>(*std::move(instance), std::move(prefix), std::move(mounts));
}

LiveService::LiveService(std::unique_ptr<plugin::Instance> instance, std::string prefix,
                         std::vector<mount::Mount> mounts)
    : instance_(std::move(instance)),
      prefix_(std::move(prefix)),
      client_(std::make_unique<runner::Client>(std::vector<runner::Pool*>())),
      programs_(all_mounts(*instance_, prefix_, std::move(mounts))) {}

LiveService::~LiveService() = default;

std::uint32_t RunnerOptions::workers_for(const std::string& service,
                                         const std::string& runner) const {
  for (const std::string& name : {service + "." + runner, runner}) {
    if (const auto own = workers_of.find(name); own != workers_of.end()) return own->second;
  }
  return workers;
}

void LiveService::start_runners(const RunnerOptions& options, const RunnerDeps& deps) {
  loops_ = deps.loops;
  spawner_ = std::make_unique<runner::ProcessSpawner>(options.exe, instance_->config().file,
                                                      deps.launcher);
  std::vector<runner::Pool*> pools;
  for (const plugin::RunnerSpec& runner : spec().runners) {
    runner::PoolOptions pool;
    pool.service = spec().name;
    pool.workers = options.workers_for(spec().name, runner.name);
    pool.max_queue = options.max_queue;
    pool.max_queue_bytes = options.max_queue_bytes;
    pool.starts_at_low_priority = options.starts_at_low_priority;
    pool.hello = runner::encode_hello({instance_->config().options_json, spec().name, spec().hash});
    pools_.push_back(
        std::make_shared<runner::Pool>(runner, std::move(pool),
                                       runner::Pool::Deps{*loops_[pools_.size() % loops_.size()],
                                                          *spawner_,
                                                          deps.clock,
                                                          deps.metrics,
                                                          {.budget = options.arenas}}));
    pools.push_back(pools_.back().get());
  }
  client_ = std::make_unique<runner::Client>(std::move(pools));
  for (const auto& pool : pools_) pool->start();
  programs_.start(spec().name, options.programs, {deps.launcher, deps.clock, deps.metrics});
}

Result<bool> LiveService::is_warm() const {
  bool all = true;
  for (const auto& pool : pools_) {
    auto warm = pool->is_warm();
    if (!warm.ok()) return warm;
    all = all && *warm;
  }
  auto programs = programs_.is_warm();
  if (!programs.ok()) return programs;
  return all && *programs;
}

Status LiveService::readiness() const {
  Status runners = client_->readiness();
  Status programs = programs_.readiness();
  if (runners.ok()) return programs;
  if (programs.ok()) return runners;
  return Status(BENTO_UNAVAILABLE, runners.message() + "; " + programs.message());
}

Status LiveService::may_get_ready() const {
  for (const auto& pool : pools_) {
    if (pool->has_given_up()) return pool->readiness();
  }
  return programs_.may_get_ready();
}

void LiveService::stop_runners(TimePoint deadline) {
  programs_.stop(deadline);
  for (const auto& pool : pools_) pool->stop(deadline);
}

void LiveService::stop(TimePoint deadline, bool is_in_use) {
  stop_runners(deadline);
  // A call of the last request may still be due at the end of the loop's turn.
  for (const auto& loop : loops_) {
    for (const auto& pool : pools_) loop->hold_for_a_turn(pool);
    loop->let_turn(kTurnTime);
  }
  if (is_in_use) return instance_->shut_down();
  instance_->stop();
}

}  // namespace bentohost::service
