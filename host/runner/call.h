// Call: one caller's work for a runner method, from submit to its one completion. Batch: the calls
// that travel in one frame. Inputs are immutable once submitted; the pool that holds a call guards
// the rest of it. Failures: calls that have failed and are not completed yet.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "runner/result.h"
#include "runner/window.h"
#include "wire/value.h"

namespace bentohost::runner {

struct Worker;

// Called on the runner's event loop or on a submitting thread; it must be brief. Exactly once, or
// for a method that streams once for each result, and the last time without `more`.
using Done = std::function<void(const CallResult&)>;

struct Call {
  // As the method takes them; one of kind 0 is an optional input that was left out.
  std::vector<wire::Value> inputs;
  std::uint32_t rows = 1;  // on the method's axis_in; 1 of lists, and if it is not batchable
  std::size_t bytes = 0;   // of the inputs; set when the call is submitted
  TimePoint enqueued{};
  TimePoint wanted_until = kNoDeadline;  // the request's deadline
  TimePoint deadline = kNoDeadline;      // the same; of a stream, that of its next result
  std::string request_id, traceparent;   // of the request that it is for; may be empty
  Done done;

  // Set when nobody waits for the call any more: if it has not started, it never does and fails
  // with CANCELLED. `cancelled` is the request's flag, and may be null.
  std::atomic<bool> abandoned = false;
  std::shared_ptr<const std::atomic<bool>> cancelled;
  bool is_wanted() const {
    return !abandoned.load(std::memory_order_relaxed) &&
           (cancelled == nullptr || !cancelled->load(std::memory_order_relaxed));
  }
  bool alone = false;  // travels in a frame of its own, because it was in a batch that failed
  bool retried = false;
  bool finished = false;  // `done` has been or is being called for the last time

  // Of a call that streams.
  bool has_emitted = false;  // from now on it has the deadline of its next result
  Window ahead;              // results that it was given, and has not taken
  Window taken;              // and of which its worker does not know yet that they were
  // Its worker knows of no room, and waits for the caller.
  bool is_held_up() const {
    return Window{ahead.results + taken.results, ahead.bytes + taken.bytes}.is_full();
  }
  std::weak_ptr<Worker> worker;
  std::uint64_t batch = 0;
};
using CallPtr = std::shared_ptr<Call>;

struct Batch {
  std::uint64_t id = 0;
  std::uint32_t method = 0;
  std::uint32_t rows = 0;
  TimePoint sent{};
  TimePoint last_deadline{};  // of the batch's calls
  std::vector<CallPtr> calls;

  // An engine's call: it is alone, and others may be in flight beside it.
  std::uint32_t max_concurrent = 0;  // 0: a batch for `run`
  bool is_engines() const { return max_concurrent != 0; }
  // When its worker was told that nobody waits for any of the calls. The pool's mutex guards it.
  mutable TimePoint cancelled_at = kNoDeadline;
  mutable std::atomic<bool> is_sent = false;
};

using Batches = std::vector<std::shared_ptr<const Batch>>;

// Calls that have failed: they are `finished`, and complete() has yet to tell their callers.
struct Failure {
  std::vector<CallPtr> calls;
  Status status;
};
using Failures = std::vector<Failure>;

// Call it with no lock held, as it calls the callers' functions.
inline void complete(const Failures& failures) {
  for (const Failure& failure : failures) {
    for (const CallPtr& call : failure.calls) {
      // A worker may hold the call for a long time yet; what its caller captured is freed now.
      const Done done = std::exchange(call->done, nullptr);
      done({failure.status, {}});
    }
  }
}

}  // namespace bentohost::runner
