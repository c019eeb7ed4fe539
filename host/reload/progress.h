// Progress: the current step of bringing up a generation, and how long each step took. One thread.
#pragma once

#include <utility>
#include <vector>

#include "base/clock.h"

namespace bentohost::reload {

// In order. Each step has a name, which is the label of bentohost_reload_total when the step fails.
enum class Step {
  kCopy,       // the private copy
  kElf,        // the file's structure
  kProbe,      // loading and describing it in a child process
  kAbi,        // within the probe: its ABI version
  kOptions,    // checked against its schema
  kConfigure,  // describing it after its options, in the child process
  kSymbols,    // variables that it would share with plugins that are loaded already
  kLibraries,  // the libraries it brings: found and copied before the probe, compared after it
  kLoad,       // dlopen, open, configure, describe
  kCreate,
  kOnStartup,
  kRoutes,   // made together with all other services' routes
  kRunners,  // waits until each worker of each runner is up
  kSample,   // each API answers its own sample
  kOnReady,
  kSwap,
};
const char* name_of(Step step);

class Progress {
 public:
  explicit Progress(const Clock& clock) : clock_(&clock), since_(clock.now()) {}

  void enter(Step step) {
    if (has_begun_ && step == step_) return;
    note();
    step_ = step;
  }
  Step step() const { return step_; }
  void end() { note(); }
  // After end(): the durations of the steps that were entered, in the order of their first entry.
  const std::vector<std::pair<Step, Duration>>& took() const { return took_; }
  Duration total() const {
    Duration sum{};
    for (const auto& [step, took] : took_) sum += took;
    return sum;
  }

 private:
  void note() {
    const TimePoint now = clock_->now();
    if (has_begun_) add(now - since_);
    has_begun_ = true;
    since_ = now;
  }

  void add(Duration duration) {
    for (auto& [step, took] : took_) {
      if (step != step_) continue;
      took += duration;
      return;
    }
    took_.emplace_back(step_, duration);
  }

  const Clock* clock_;
  Step step_ = Step::kCopy;
  bool has_begun_ = false;
  TimePoint since_;
  std::vector<std::pair<Step, Duration>> took_;
};

}  // namespace bentohost::reload
