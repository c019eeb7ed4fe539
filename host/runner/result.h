// Results of runner calls: how they are handed out (CallResult), and how a caller that needs them
// for longer keeps them (KeptResult). All callers of a batch share the memory of its result frame,
// which is copied once, or not at all.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/status.h"
#include "wire/frame.h"

namespace bentohost::runner {

// A call's results, for as long as it lives. Movable; one thread at a time, while others that share
// the memory may be used on other threads.
class KeptResult {
 public:
  KeptResult() = default;
  KeptResult(KeptResult&&) = default;
  KeptResult& operator=(KeptResult&&) = default;

  std::span<const bento_value> values() const { return values_; }

 private:
  friend struct CallResult;
  std::vector<bento_value> values_;
  std::vector<std::int64_t> shapes_;  // those that are in nobody else's memory
  std::shared_ptr<const void> memory_;
};

// A result frame while it is delivered. [loop]
class ResultFrame {
 public:
  // The frame is the last one that `reader` has returned. `claims` keep the arenas that it names.
  ResultFrame(wire::FrameReader& reader, const wire::FrameReader::Frame& frame,
              std::vector<std::shared_ptr<const void>> claims)
      : reader_(reader), frame_(frame), claims_(std::move(claims)) {}

  std::size_t bytes() const { return frame_.body.size(); }
  // Another result of the same call follows.
  bool has_more() const { return frame_.header.more; }

 private:
  friend struct CallResult;
  struct Memory {
    AlignedBuffer bytes;
    std::vector<std::shared_ptr<const void>> claims;
  };
  // What is to be kept of it; from now on the body is at kept_body_. Throws std::bad_alloc.
  const std::shared_ptr<Memory>& keep();
  bool has(const void* at) const;

  wire::FrameReader& reader_;
  const wire::FrameReader::Frame frame_;
  std::vector<std::shared_ptr<const void>> claims_;
  std::shared_ptr<Memory> memory_;
  const char* kept_body_ = nullptr;
};

// The outcome of a call. `values` are views that die when the callback that got them returns.
struct CallResult {
  Status status;
  std::span<const bento_value> values;
  // What `values` point into; both null: memory that nobody can share.
  ResultFrame* frame = nullptr;
  std::shared_ptr<const void> owner = nullptr;
  bool more = false;      // another result follows
  std::size_t bytes = 0;  // of a stream's result, in its window

  // [the callback's thread, within it] The values, for longer. RESOURCE_EXHAUSTED: there is no
  // memory.
  Result<KeptResult> keep() const;

 private:
  void keep_of_frame(KeptResult& kept) const;
  Status keep_copies(KeptResult& kept) const;
};

}  // namespace bentohost::runner
