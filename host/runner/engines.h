// Engines: in the runner process, the calls that are in flight of methods that are engines
// (bento_engine). Each call is a Work. Engines with a `step` are called in turns.
//
// Threads: what is marked [main] comes from the thread that reads the calls; a plugin emits and
// finishes on any thread. A work is kept in the table from begin until finish; `step` holds those
// that it was given until it returns.
#pragma once

#include <bento/abi.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/process/plugin_call_note.h"
#include "plugin/description.h"
#include "runner/frame_pipe.h"
#include "wire/frame.h"

namespace bentohost::runner {

class Work;
using WorkPtr = std::shared_ptr<Work>;

class Engines {
 public:
  // `meanwhile` is called on the main thread while it is busy here: it reports metrics.
  Engines(FramePipe& pipe, std::function<void()> meanwhile)
      : pipe_(pipe), meanwhile_(std::move(meanwhile)) {}

  // [main] Before the first call. `note` describes all calls of the runner; `names` has a name for
  // each method, for the note. All outlive this, or the process.
  void open(const plugin::RunnerSpec& runner, void* self, const PluginCallNote& note,
            const std::vector<std::string>& names);

  // [main] Begins a call of an engine. The frame is copied. False: the host is gone.
  bool begin(const wire::FrameReader::Frame& frame);
  // [main] Whether turn() has something to do.
  bool has_turn();
  // [main] Tells engines of cancelled works, and calls each `step` once that has works with room.
  void turn();
  // [main] The host is gone: all works are cancelled.
  void end();

  // [any] See FramePipe::News. False: no work has this id; it may come yet.
  bool on_cancel(std::uint64_t id);
  void on_room(std::uint64_t id, const wire::Room& room);

 private:
  friend class Work;

  const bento_engine& engine_of(std::uint32_t method) const {
    return *runner_->methods[method].engine;
  }
  PluginCallNote note_of(std::uint32_t method) const;
  WorkPtr find(std::uint64_t id);
  std::vector<WorkPtr> all();
  void remove(std::uint64_t id);
  void tell_cancelled();
  void step(std::uint32_t method);
  // Whether the caller is within `step`, on the main thread.
  bool is_in_step() const { return is_stepping_ && is_main(); }
  bool is_main() const { return std::this_thread::get_id() == main_; }
  bool send_error(std::uint64_t id, const Status& status);

  FramePipe& pipe_;
  const std::function<void()> meanwhile_;
  const plugin::RunnerSpec* runner_ = nullptr;
  const std::vector<std::string>* names_ = nullptr;
  void* self_ = nullptr;
  PluginCallNote note_;
  std::thread::id main_;
  std::atomic<bool> is_stepping_ = false;

  Mutex mutex_;
  std::map<std::uint64_t, WorkPtr> works_ BENTO_GUARDED_BY(mutex_);
  // Of which there is no work (yet): cancels are read ahead of calls that wait to be begun.
  std::set<std::uint64_t> early_cancels_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::runner
