// WorkerArenas: the worker's side of its arenas (arena_message.h): where the large inputs of a call
// are, and memory for large outputs. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

#include "base/process/shared_memory.h"
#include "base/unique_fd.h"
#include "runner/arena_message.h"
#include "runner/output_sink.h"
#include "wire/frame.h"

namespace bentohost::runner {

class WorkerArenas final : public wire::Arenas, public OutputMemory {
 public:
  // `channel`: the worker's end of the socket; without one there are no arenas.
  explicit WorkerArenas(UniqueFd channel, const SharedMemoryCalls& calls = kSystemCalls)
      : calls_(calls), channel_(std::move(channel)) {}

  // An input of the call that is being decoded. Null: the host has not sent it, or it cannot be
  // mapped; then is_missing() until the next begin_call().
  const char* find(std::uint32_t arena, std::uint64_t length) override;
  void begin_call() { is_missing_ = false; }
  bool is_missing() const { return is_missing_; }

  // Waits for the host's answer if there is no free arena that has room. The block is the caller's
  // until it is put back, or the host returns it.
  Block take(std::size_t bytes) override;
  void put_back(std::uint32_t arena) override;

 private:
  struct Mapped {
    SharedMemory memory;
    bool is_free = false;  // may be taken for an output
  };

  // What the host says; false: nothing (yet), or nothing any more.
  bool receive(bool waits, ArenaMessage& message);
  void read_news();
  Block find_free(std::size_t bytes);

  const SharedMemoryCalls& calls_;
  UniqueFd channel_;
  std::map<std::uint32_t, Mapped> arenas_;
  bool is_missing_ = false;
};

}  // namespace bentohost::runner
