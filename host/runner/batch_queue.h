// BatchQueue: the calls that wait for a worker, for one runner method, and the policy by which they
// become batches. Pure: no threads, no descriptors, time is an argument.
//
// The policy: an idle worker is given a batch at once; batches form because calls arrive while all
// workers are busy. First in, first out; a batch is the longest run of calls from the front that
// have at most `max_batch` rows in all and can be joined. Only with a `max_wait` an idle worker
// waits for more calls, that long at most, and not once the batch cannot grow any more.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "runner/call.h"

namespace bentohost::runner {

struct BatchPolicy {
  std::uint32_t max_batch = 1;  // rows; 1 for a method that is not batchable
  bool batchable = false;
  bool lists = false;  // any calls can be joined
  std::int32_t axis = 0;
  std::size_t max_queue = 1024;              // calls
  std::size_t max_queue_bytes = 256u << 20;  // of the calls' inputs
  Duration max_latency = Duration::max();  // a call that waited longer for its first batch is late
  Duration max_wait = Duration::zero();
};

class BatchQueue {
 public:
  explicit BatchQueue(BatchPolicy policy) : policy_(policy) {}

  // Whether the queue has room for `calls` more calls with `bytes` bytes of inputs in all.
  bool has_room(std::size_t calls, std::size_t bytes) const;
  // False when there is no room. `call->rows` must be at most max_batch.
  bool push(CallPtr call);
  // Puts back a call that was taken before and has to run again; never refused.
  void push_front(CallPtr call);

  // A worker is idle, and there is a call. Until when the worker waits for a fuller batch; `now`:
  // take() is due. It waits from the first time that this is called after a take().
  TimePoint ripe_at(TimePoint now);
  // The next batch, possibly empty, for one of `idle_workers`: each worker gets its share of the
  // waiting calls, or, with a max_wait, as many as fit. Calls that are cancelled or late go to
  // `dropped`.
  std::vector<CallPtr> take(TimePoint now, std::size_t idle_workers, std::vector<CallPtr>& dropped);
  // Moves all cancelled or late calls to `dropped`.
  void expire(TimePoint now, std::vector<CallPtr>& dropped);
  std::vector<CallPtr> take_all();

  const Call& front() const { return *calls_.front(); }  // of a queue that is not empty
  std::size_t size() const { return calls_.size(); }
  std::size_t bytes() const { return bytes_; }
  const BatchPolicy& policy() const { return policy_; }

 private:
  CallPtr pop_front();
  bool is_dropped(const Call& call, TimePoint now) const;
  bool joins(const Call& first, const Call& next) const;

  bool is_full();

  BatchPolicy policy_;
  std::deque<CallPtr> calls_;
  std::size_t bytes_ = 0;
  // Of the calls at the front that are one batch: how many have been counted, and their rows. 0
  // calls: none have been since the front has changed.
  std::size_t counted_ = 0;
  std::uint64_t counted_rows_ = 0;
  TimePoint idle_since_ = kNoDeadline;  // a worker waits for a fuller batch since then, if one does
};

}  // namespace bentohost::runner
