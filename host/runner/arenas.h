// ArenaSet: the host's side of one worker's arenas: the shared memory through which large values
// go to the worker and come back (arena_message.h). It makes arenas, keeps them for the next call,
// and frees arenas that were not used for a while. Wherever no arena can be had, the value
// goes through the pipe, and nobody but the metrics notices.
//
// Threads: [any], under a lock of its own, which is a leaf, except where it says otherwise.
// Ownership: a shared_ptr, since results that lie in arenas may outlive the worker.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/memory_budget.h"
#include "base/mutex.h"
#include "base/process/shared_memory.h"
#include "base/status.h"
#include "base/unique_fd.h"
#include "observe/metrics.h"
#include "runner/arena_message.h"
#include "wire/frame.h"

namespace bentohost::runner {

class ArenaSet : public std::enable_shared_from_this<ArenaSet> {
 public:
  // Arenas that were not used for so long are freed.
  static constexpr Duration kIdle = std::chrono::seconds(10);
  // A worker's, at most. Each is a descriptor and a mapping in both processes.
  static constexpr std::size_t kMaxArenas = 64;

  struct Deps {
    // The bytes of all workers' arenas together. Null: no arenas.
    std::shared_ptr<MemoryBudget> budget;
    const SharedMemoryCalls* calls = &kSystemCalls;
  };
  // `channel`: the host's end of the socket; without one there are no arenas.
  ArenaSet(UniqueFd channel, Deps deps, observe::ArenaMetrics metrics);
  ~ArenaSet();

  // ---- inputs

  struct Input {
    std::uint32_t arena = 0;  // 0: no arena, so the value goes through the pipe
    char* data = nullptr;
    std::shared_ptr<const void> memory;  // the worker may die while the data is being written
  };
  // An arena for a value of `bytes` bytes in the call that this batch will be; the worker must have
  // no other. It is in use until end_batch().
  Input take_input(std::uint64_t batch, std::size_t bytes);
  // The batch is over: answered, or not sent. Returns whether it had any arenas.
  bool end_batch(std::uint64_t batch);

  // ---- results

  using Claim = std::shared_ptr<const void>;
  // Takes from the worker the output arena that its result names, and returns its memory. Null: the
  // worker does not have this arena, or it has fewer than `length` bytes: its mistake. When `claim`
  // and all its copies have gone, the worker gets the arena back.
  const char* claim_output(std::uint32_t arena, std::uint64_t length, Claim& claim);

  // ---- the channel

  // The socket to watch for messages of the worker; -1: the worker has no socket.
  int channel() const;
  // [loop] Answers what has come. `may_ask`: the worker has a call, otherwise it needs no output.
  // False: there is no more to come: the worker has closed the socket, or it has sent what no
  // worker sends, and `bad` says so.
  bool answer(bool may_ask, std::string& bad);

  // ---- time

  // Frees the arenas that were not used for kIdle, those that the worker has only if it `is_idle`.
  // They are put into `freed`, whose destruction takes a while: no lock should be held. Returns
  // whether any arenas are left that may become idle.
  struct Arena;
  using Freed = std::vector<std::shared_ptr<Arena>>;
  bool trim(TimePoint now, bool is_idle, Freed& freed);
  // From now on all values go through the pipe.
  void disable();
  // [loop] The worker has gone: only results that somebody holds are left. The channel must not be
  // watched any more.
  void close();

 private:
  std::shared_ptr<Arena> find_input_locked(std::size_t bytes) BENTO_REQUIRES(mutex_);
  std::shared_ptr<Arena> make_locked(ArenaMessage::Kind kind, std::size_t bytes,
                                     bool worker_is_idle) BENTO_REQUIRES(mutex_);
  bool reserve_locked(std::size_t bytes, bool worker_is_idle) BENTO_REQUIRES(mutex_);
  void refused_locked(const std::string& why) BENTO_REQUIRES(mutex_);
  void say_locked(const ArenaMessage& message) BENTO_REQUIRES(mutex_);
  void disable_locked() BENTO_REQUIRES(mutex_);
  using Table = std::map<std::uint32_t, std::shared_ptr<Arena>>;
  std::shared_ptr<Arena> drop_locked(Table::iterator at) BENTO_REQUIRES(mutex_);
  void give_back(std::uint32_t number);

  const Deps deps_;
  const observe::ArenaMetrics metrics_;
  mutable Mutex mutex_;
  UniqueFd channel_ BENTO_GUARDED_BY(mutex_);
  bool is_enabled_ BENTO_GUARDED_BY(mutex_);
  bool is_closed_ BENTO_GUARDED_BY(mutex_) = false;
  bool has_warned_ BENTO_GUARDED_BY(mutex_) = false;
  std::uint32_t last_number_ BENTO_GUARDED_BY(mutex_) = 0;
  Table arenas_ BENTO_GUARDED_BY(mutex_);
};

// The arenas that one result frame names, as it is decoded: each is claimed, and can be claimed
// once. Once decoded, `claims` keep the memory.
class ResultArenas final : public wire::Arenas {
 public:
  explicit ResultArenas(ArenaSet& set) : set_(set) {}
  const char* find(std::uint32_t arena, std::uint64_t length) override {
    ArenaSet::Claim claim;
    const char* const data = set_.claim_output(arena, length, claim);
    if (data != nullptr) claims_.push_back(std::move(claim));
    return data;
  }
  std::vector<ArenaSet::Claim> take_claims() { return std::move(claims_); }

 private:
  ArenaSet& set_;
  std::vector<ArenaSet::Claim> claims_;
};

}  // namespace bentohost::runner
