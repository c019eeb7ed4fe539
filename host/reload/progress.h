// Progress: where the bringing up of a generation is, and how long each step took. One thread.
#pragma once

#include <utility>
#include <vector>

#include "base/clock.h"

namespace bentohost::reload {

// In their order. Each has a name, which is the label of bentohost_reload_total when it fails.
enum class Step {
  kCopy,       // the private copy
  kElf,        // the file's structure
  kProbe,      // loading and describing it in a child process
  kAbi,        // within that: its ABI version
  kOptions,    // against its schema
  kSymbols,    // variables that it would share with what is loaded already
  kLibraries,  // the libraries it brings: looked for and copied before the probe, compared after it
  kLoad,       // dlopen, open, describe
  kCreate,
  kOnStartup,
  kRoutes,   // together with everybody's else
  kRunners,  // each worker of each runner up
  kSample,   // each API's own sample
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
  // Once it has ended: of the steps that were entered, in the order in which they first were.
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
