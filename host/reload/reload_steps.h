// ReloadSteps: the side effects of a ReloadTransaction, step by step: the seam to files, child
// processes, the dynamic loader and plugins. PluginReloadSteps is the real implementation, and
// tests have a puppet.
//
// An object serves one replacement of one service. All calls come from the transaction's thread.
// Only the function that plugin_call() returns runs on another thread. The object owns the copy,
// the candidate's service, its runners and its routes. If the object is destroyed before swap(),
// all of these are undone, and the serving generation is not affected.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/status.h"
#include "reload/progress.h"

namespace bentohost::reload {

class ReloadSteps {
 public:
  ReloadSteps() = default;
  virtual ~ReloadSteps() = default;
  ReloadSteps(const ReloadSteps&) = delete;
  ReloadSteps& operator=(const ReloadSteps&) = delete;

  // The generation that serves: the old one until swap(), then the new one.
  struct Serving {
    std::string service;
    std::uint64_t generation = 0;
    std::string version;
  };
  virtual Serving serving() const = 0;

  // Whether the file is the one that serves, judged by its state (inode, size, times) alone, and so
  // are those that its description was made from.
  virtual bool is_file_serving() const = 0;
  // Copies the file and its own libraries. `progress` enters kCopy, kElf and kLibraries.
  virtual Status copy(Progress& progress) = 0;
  // Whether the copy's bytes equal those of the file that serves. If so, records the file's state.
  virtual bool is_copy_serving() = 0;
  // Loads the copy in a child process, checks the options and the service's name. `progress` enters
  // kProbe, kAbi, kOptions and kConfigure. It has its own time limit and checks for cancellation
  // itself.
  virtual Status probe(Progress& progress) = 0;
  virtual Status check_symbols() = 0;
  virtual Status check_libraries() = 0;
  // From here on there is a candidate.
  virtual Status load() = 0;
  // A call of the candidate's create, on_startup or on_ready (kCreate, kOnStartup, kOnReady). The
  // function may outlive this object; it keeps only the candidate's service alive, until it is
  // destroyed.
  virtual std::function<Status()> plugin_call(Step step) = 0;
  virtual void start_runners() = 0;
  virtual Status make_routes() = 0;
  // Whether each worker of each runner is up. An error means that one of them will not come up.
  virtual Result<bool> are_runners_warm() const = 0;
  virtual std::string missing_runners() const = 0;  // those that are not up, for an error message
  // Sends each API its own sample. (waits)
  virtual Status try_samples() = 0;
  // The new generation serves and the old one drains. It cannot fail.
  virtual void swap() = 0;
};

}  // namespace bentohost::reload
