// OutputSink: the bento_sink that a runner method or an API writes its results to. It owns the
// results, or holds what it was given until clear(). One thread.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "base/status.h"
#include "wire/value.h"

namespace bentohost::runner {

// Where the memory for a large tensor comes from, if not from the heap.
class OutputMemory {
 public:
  struct Block {
    std::uint32_t arena = 0;  // 0: none
    char* data = nullptr;     // aligned as tensor data is
  };
  // A block of at least `bytes` bytes; nothing if no memory is free, or `bytes` is too small for
  // it.
  virtual Block take(std::size_t bytes) = 0;
  virtual void put_back(std::uint32_t arena) = 0;

 protected:
  ~OutputMemory() = default;
};

class OutputSink {
 public:
  explicit OutputSink(OutputMemory* memory = nullptr);
  ~OutputSink() { clear(); }
  OutputSink(const OutputSink&) = delete;
  OutputSink& operator=(const OutputSink&) = delete;

  bento_sink* get() { return &table_.sink; }
  // The results are those of a batch with `callers` callers, of which each may fail by itself, and
  // are `most` values at most. Until clear(), after which no caller can fail.
  void begin_batch(std::size_t callers, std::size_t most);
  // The callers that have failed.
  const std::map<std::uint32_t, Status>& failed() const { return failed_; }
  // Fails a caller that has not failed yet.
  void fail(std::uint32_t caller, Status why) { failed_.try_emplace(caller, std::move(why)); }
  std::size_t size() const { return outputs_.size(); }
  // They are checked, and valid until clear().
  std::vector<bento_value> views() const;
  // The arena that the output's data lies in, from its start on; 0: none.
  std::uint32_t arena_of(std::size_t output) const { return outputs_[output].block.arena; }
  // Moves an output that is large and not in an arena into one, if there is one to be had.
  void move_to_arena(std::size_t output);
  // The output's arena, if any, belongs to somebody else now: clear() does not put it back.
  void hand_over_arena(std::size_t output) { outputs_[output].is_handed_over = true; }
  void clear();

 private:
  struct Table {
    bento_sink sink;  // first: has the table's address
    OutputSink* owner;
  };
  struct Output {
    wire::Value value;  // without its data, if that is in the block or given
    OutputMemory::Block block;
    std::size_t block_bytes = 0;  // of the block: those in use
    bool is_handed_over = false;
    bento_bytes given{};  // data that the plugin keeps until it is released
    void* owner = nullptr;
    void (*release)(void* owner) = nullptr;

    bento_value view() const;
  };
  static void* tensor(bento_sink* sink, bento_str name, std::uint32_t dtype, std::uint32_t ndim,
                      const std::int64_t* shape, bento_error* error);
  static bento_code value(bento_sink* sink, const bento_value* copied, bento_error* error);
  static bento_code give(bento_sink* sink, const bento_value* value, void* owner,
                         void (*release)(void* owner), bento_error* error);
  static bento_code fail(bento_sink* sink, std::size_t caller, const bento_error* why,
                         bento_error* error);
  Status check_room() const;
  Status keep(const bento_value& value, void* owner, void (*release)(void* owner));

  OutputMemory* const memory_;
  Table table_{};
  std::size_t callers_ = 0;  // that may fail
  std::size_t most_;         // outputs
  std::map<std::uint32_t, Status> failed_;
  std::deque<Output> outputs_;  // a deque: memory that tensor() returned must not move
};

}  // namespace bentohost::runner
