// ReloadSteps: what a ReloadTransaction does to the world, step by step; the seam behind which are
// files, child processes, the dynamic loader and plugins. PluginReloadSteps is the real one, and
// tests have a puppet.
//
// One object is for one replacement of one service. All calls come from the transaction's thread;
// only what plugin_call() returns is called on another one. It owns what it has begun (the copy,
// the candidate's service and its runners, its routes): destroyed before swap(), it takes that
// down, and the generation that serves has not noticed anything.
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

  // Whether the file is the one that serves, as far as its state (inode, size, times) tells.
  virtual bool is_file_serving() const = 0;
  // The private copy and what it brings along. `progress` enters kCopy, kElf and kLibraries.
  virtual Status copy(Progress& progress) = 0;
  // Whether the copy has the very bytes that serve. If so, the file's state is taken note of.
  virtual bool is_copy_serving() = 0;
  // Loads the copy in a child process, checks the options and the service's name. `progress` enters
  // kProbe, kAbi and kOptions. Keeps its own limit, and looks at the cancellation by itself.
  virtual Status probe(Progress& progress) = 0;
  virtual Status check_symbols() = 0;
  virtual Status check_libraries() = 0;
  // From here on there is a candidate.
  virtual Status load() = 0;
  // A call of the candidate's create, on_startup or on_ready (kCreate, kOnStartup, kOnReady). It
  // may outlive this object, and keeps the candidate's service, and nothing else, until it is
  // destroyed.
  virtual std::function<Status()> plugin_call(Step step) = 0;
  virtual void start_runners() = 0;
  virtual Status make_routes() = 0;
  // Whether each worker of each runner is up. An error: one of them will not be.
  virtual Result<bool> are_runners_warm() const = 0;
  virtual std::string missing_runners() const = 0;  // what is waited for, for an error
  // Has each API answer its own sample. (waits)
  virtual Status try_samples() = 0;
  // The new generation serves and the old one drains. It cannot fail.
  virtual void swap() = 0;
};

}  // namespace bentohost::reload
