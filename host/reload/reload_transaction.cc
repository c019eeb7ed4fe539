#include "reload/reload_transaction.h"

#include <cstdint>
#include <future>
#include <string>
#include <utility>

#include "base/log.h"

namespace bentohost::reload {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(1);

Status cancelled() { return Status(BENTO_UNAVAILABLE, "the server is shutting down"); }

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

// A call into a plugin that may not return. A thread takes it to make the call, or the transaction
// takes it to give up on it: whichever comes first.
struct LimitedCall {
  std::atomic<bool> is_taken = false;
  std::promise<Status> result;
};

}  // namespace

ReloadTransaction::ReloadTransaction(std::unique_ptr<ReloadSteps> steps, ReloadOptions options,
                                     Deps deps)
    : steps_(std::move(steps)), options_(options), deps_(std::move(deps)), progress_(deps_.clock) {}

ReloadResult ReloadTransaction::run() && {
  auto replaced = replace();
  const ReloadSteps::Serving serving = steps_->serving();
  steps_.reset();
  progress_.end();
  std::string result = "unchanged";
  if (!replaced.ok()) {
    result = name_of(progress_.step());
  } else if (*replaced) {
    result = "ok";
  }
  ReloadResult outcome{std::move(replaced).take_status(), std::move(result), serving.generation,
                       std::move(progress_)};
  report(outcome, serving);
  return outcome;
}

// Returns whether the new generation serves; if not, nothing has changed. An error comes from
// progress_.step().
Result<bool> ReloadTransaction::replace() {
  progress_.enter(Step::kCopy);
  if (!options_.force && steps_->is_file_serving()) return false;
  if (Status status = steps_->copy(progress_); !status.ok()) return status;
  if (!options_.force && steps_->is_copy_serving()) return false;

  static constexpr std::pair<Step, Run> kOrder[] = {
      {Step::kProbe, &ReloadTransaction::probe},
      {Step::kSymbols, &ReloadTransaction::check_symbols},
      {Step::kLibraries, &ReloadTransaction::check_libraries},
      {Step::kLoad, &ReloadTransaction::load},
      {Step::kCreate, &ReloadTransaction::call_plugin},
      {Step::kOnStartup, &ReloadTransaction::start},
      {Step::kRoutes, &ReloadTransaction::make_routes},
      {Step::kRunners, &ReloadTransaction::await_runners},
      {Step::kSample, &ReloadTransaction::try_samples},
      {Step::kOnReady, &ReloadTransaction::call_plugin},
      {Step::kSwap, &ReloadTransaction::swap},
  };
  for (const auto& [step, run] : kOrder) {
    if (step == Step::kSample && !options_.tries_samples) continue;
    progress_.enter(step);
    if (Status status = (this->*run)(); !status.ok()) return status;
  }
  return true;
}

// A call that does not return keeps its thread and its service; the service ends when it returns.
Status ReloadTransaction::call_plugin() {
  const TimePoint deadline = deps_.clock.now() + options_.start_limit;
  const auto call = std::make_shared<LimitedCall>();
  auto future = call->result.get_future();
  deps_.run_call([call, into_plugin = steps_->plugin_call(progress_.step())] {
    if (!call->is_taken.exchange(true)) call->result.set_value(into_plugin());
  });
  while (!deps_.is_cancelled && deps_.clock.now() < deadline) {
    if (future.wait_for(kPoll) == std::future_status::ready) return future.get();
  }
  const bool is_begun = call->is_taken.exchange(true);
  if (deps_.is_cancelled) return cancelled();
  const std::string what =
      "service " + steps_->serving().service + ": " + name_of(progress_.step());
  if (!is_begun) {  // no thread has taken the call, and none will now
    return Status(BENTO_RESOURCE_EXHAUSTED, what + " was not called: " + std::to_string(kMaxCalls) +
                                                " others have never returned; restart bentohost");
  }
  return Status(BENTO_DEADLINE_EXCEEDED, what + " did not return within " +
                                             seconds_text(options_.start_limit) +
                                             " (--reload-timeout); it is left behind");
}

Status ReloadTransaction::start() {
  if (Status status = call_plugin(); !status.ok()) return status;
  steps_->start_runners();
  return {};
}

Status ReloadTransaction::await_runners() {
  const TimePoint deadline = deps_.clock.now() + options_.start_limit;
  for (;; deps_.pause()) {
    auto warm = steps_->are_runners_warm();
    if (!warm.ok()) return std::move(warm).take_status();
    if (*warm) return {};
    if (deps_.is_cancelled) return cancelled();
    if (deps_.clock.now() >= deadline) {
      return Status(BENTO_UNAVAILABLE, steps_->missing_runners() + ", after --reload-timeout");
    }
  }
}

Status ReloadTransaction::swap() {
  steps_->swap();
  return {};
}

void ReloadTransaction::report(const ReloadResult& result,
                               const ReloadSteps::Serving& serving) const {
  deps_.metrics.count_reload(serving.service, result.result);
  const std::int64_t took = milliseconds(result.progress.total());
  if (!result.status.ok()) {
    log_error("reload failed, generation " + std::to_string(result.generation) +
                  " serves on: " + result.status.message(),
              {{"service", serving.service}, {"step", result.result}, {"took_ms", took}});
  } else if (result.result == "ok") {
    log_info("reloaded", {{"service", serving.service},
                          {"generation", result.generation},
                          {"version", serving.version},
                          {"took_ms", took}});
  } else {
    log(LogLevel::kDebug, "nothing to reload: the file is the one that serves",
        {{"service", serving.service}});
  }
}

}  // namespace bentohost::reload
