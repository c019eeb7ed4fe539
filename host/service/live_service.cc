#include "service/live_service.h"

#include <utility>

#include "base/log.h"

namespace bentohost::service {
namespace {

// Long enough for any loop that is not stuck.
constexpr Duration kTurnTime = std::chrono::seconds(2);

}  // namespace

Result<std::unique_ptr<LiveService>> LiveService::load(plugin::PluginConfig config,
                                                       std::string prefix) {
  auto instance = plugin::Instance::load(
      std::move(config),
      [](LogLevel level, std::string_view message, std::span<const LogField> fields) {
        log_fields(level, message, fields.data(), fields.size());
      });
  if (!instance.ok()) return std::move(instance).take_status();
  return std::make_unique<LiveService>(*std::move(instance), std::move(prefix));
}

LiveService::LiveService(std::unique_ptr<plugin::Instance> instance, std::string prefix)
    : instance_(std::move(instance)),
      prefix_(std::move(prefix)),
      client_(std::make_unique<runner::Client>(std::vector<runner::Pool*>())) {}

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
    pool.hello = instance_->config().options_json;
    pools_.push_back(
        std::make_shared<runner::Pool>(runner, std::move(pool),
                                       runner::Pool::Deps{*loops_[pools_.size() % loops_.size()],
                                                          *spawner_, deps.clock, deps.metrics}));
    pools.push_back(pools_.back().get());
  }
  client_ = std::make_unique<runner::Client>(std::move(pools));
  for (const auto& pool : pools_) pool->start();
}

Result<bool> LiveService::is_warm() const {
  bool all = true;
  for (const auto& pool : pools_) {
    auto warm = pool->is_warm();
    if (!warm.ok()) return warm;
    all = all && *warm;
  }
  return all;
}

Status LiveService::may_get_ready() const {
  for (const auto& pool : pools_) {
    if (pool->has_given_up()) return pool->readiness();
  }
  return {};
}

void LiveService::stop_runners(TimePoint deadline) {
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
