// Call: one caller's work for a runner method, from submit to its one completion. Batch: the calls
// that travel in one frame. Inputs are immutable once submitted; the rest is guarded by the pool
// that holds it. Failures: those that are to hear an error.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "wire/value.h"

namespace bentohost::runner {

// What becomes of a call. `values` are views that die when the callback returns.
struct CallResult {
  Status status;
  std::span<const bento_value> values;
};

// Called exactly once, on the runner's event loop or in a thread that submits; it must be brief.
using Done = std::function<void(const CallResult&)>;

struct Call {
  std::vector<wire::Value> inputs;
  std::uint32_t rows = 1;  // on the method's axis_in; 1 for what is not batched
  std::size_t bytes = 0;   // of the inputs; set when it is submitted
  TimePoint enqueued{};
  TimePoint deadline = kNoDeadline;
  Done done;

  // Nobody waits for it any more: it is not started if it has not been yet, and then hears
  // CANCELLED. `cancelled` is its request's, and may be null.
  std::atomic<bool> abandoned = false;
  std::shared_ptr<const std::atomic<bool>> cancelled;
  bool is_wanted() const {
    return !abandoned.load(std::memory_order_relaxed) &&
           (cancelled == nullptr || !cancelled->load(std::memory_order_relaxed));
  }
  bool alone = false;  // travels in a frame of its own: it was in a batch that failed
  bool retried = false;
  bool finished = false;  // `done` has been or is being called
};
using CallPtr = std::shared_ptr<Call>;

struct Batch {
  std::uint64_t id = 0;
  std::uint32_t method = 0;
  std::uint32_t rows = 0;
  TimePoint sent{};
  TimePoint last_deadline{};  // of its calls
  std::vector<CallPtr> calls;
};

// Calls that have failed: they are `finished`, and are still to hear of it, by complete().
struct Failure {
  std::vector<CallPtr> calls;
  Status status;
};
using Failures = std::vector<Failure>;

// With no lock held, as it calls out.
inline void complete(const Failures& failures) {
  for (const Failure& failure : failures) {
    for (const CallPtr& call : failure.calls) {
      // A worker may have the call for long yet; whoever made it is let go now.
      const Done done = std::exchange(call->done, nullptr);
      done({failure.status, {}});
    }
  }
}

}  // namespace bentohost::runner
