// ReloadTransaction: replaces the generation of one service by the present contents of its file.
// A value that is run once. Its steps, in the only legal order:
//
//   step        limit         what it does                              undone by
//   copy        longest_wait  private copy of the file                  removing the copy
//   elf                       checks the file's structure
//   libraries   longest_wait  copies of the libraries that it brings    removing the copies
//   probe, abi  probe_limit   loads the copy in a child process         killing the child
//   options                   checks the options against its schema
//   configure                 has it describe itself with them
//   symbols                   compares its variables with the loaded ones
//   libraries                 compares its libraries with the loaded ones
//   load                      dlopen, open, configure                   close (*)
//   create      start_limit   calls the plugin's create                 destroy (*)
//   on_startup  start_limit   calls it, then starts the runners         on_shutdown, their end (*)
//   routes                    makes the routes of all services          dropping them
//   runners     start_limit   waits until each worker is up
//   sample      start_limit   each API answers its sample (an option)
//   on_ready    start_limit   calls it                                  as on_startup (*)
//   swap                      the new generation serves from now on     (it cannot fail)
//
// The limits are those of StageOptions and ReloadOptions; sample has start_limit for each API.
// (*) by the reaper, on a thread of its own, once nobody holds the candidate.
//
// A step that fails, is late or is cancelled is the last one. Dropping the ReloadSteps undoes
// everything that was begun, the old generation serves on, and the result names the step.
// The transaction checks for cancellation in probe, create, on_startup, runners and on_ready; while
// it copies, a stop waits for it, for longest_wait at most. If the file or its copy is the one that
// serves already, and so are the files that the description was made from, the transaction ends
// before the probe with "unchanged", unless it is forced.
//
// It runs on one thread, which must not be a loop's. The plugin's create, on_startup and on_ready
// are called on threads that they may keep forever. It owns its ReloadSteps, but not its Deps.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>

#include "base/clock.h"
#include "base/status.h"
#include "observe/metrics.h"
#include "reload/progress.h"
#include "reload/reload_result.h"
#include "reload/reload_steps.h"

namespace bentohost::reload {

struct ReloadOptions {
  bool force = false;                               // even if the file is the one that serves
  Duration start_limit = std::chrono::seconds(60);  // for each step that has it in the table
  bool tries_samples = false;
};

class ReloadTransaction {
 public:
  // The number of threads behind `run_call`. When this many calls into plugins have never returned,
  // the next reload fails because no thread is left.
  static constexpr std::size_t kMaxCalls = 16;

  struct Deps {
    const Clock& clock;
    observe::Metrics& metrics;
    const std::atomic<bool>& is_cancelled;
    // Calls the function once, on a thread that it may keep, as soon as a thread is free.
    std::function<void(std::function<void()>)> run_call;
    // Waits a moment between two checks of the runners.
    std::function<void()> pause;
  };

  ReloadTransaction(std::unique_ptr<ReloadSteps> steps, ReloadOptions options, Deps deps);

  // (waits) Counts the result in bentohost_reload_total, and logs it.
  ReloadResult run() &&;

 private:
  using Run = Status (ReloadTransaction::*)();

  Result<bool> replace();
  Status probe() { return steps_->probe(progress_); }
  Status check_symbols() { return steps_->check_symbols(); }
  Status check_libraries() { return steps_->check_libraries(); }
  Status load() { return steps_->load(); }
  Status call_plugin();
  Status start();
  Status make_routes() { return steps_->make_routes(); }
  Status await_runners();
  Status try_samples() { return steps_->try_samples(); }
  Status swap();
  void report(const ReloadResult& result, const ReloadSteps::Serving& serving) const;

  std::unique_ptr<ReloadSteps> steps_;
  const ReloadOptions options_;
  const Deps deps_;
  Progress progress_;
};

}  // namespace bentohost::reload
