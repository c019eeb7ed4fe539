#include "runner/batch_queue.h"

#include <algorithm>
#include <utility>

namespace bentohost::runner {

bool BatchQueue::has_room(std::size_t calls, std::size_t bytes) const {
  // Calls that were put back may have taken the queue past its limits.
  return calls_.size() <= policy_.max_queue && calls <= policy_.max_queue - calls_.size() &&
         bytes_ <= policy_.max_queue_bytes && bytes <= policy_.max_queue_bytes - bytes_;
}

bool BatchQueue::push(CallPtr call) {
  if (!has_room(1, call->bytes)) return false;
  bytes_ += call->bytes;
  calls_.push_back(std::move(call));
  return true;
}

void BatchQueue::push_front(CallPtr call) {
  counted_ = 0;
  bytes_ += call->bytes;
  calls_.push_front(std::move(call));
}

CallPtr BatchQueue::pop_front() {
  counted_ = 0;
  CallPtr call = std::move(calls_.front());
  calls_.pop_front();
  bytes_ -= call->bytes;
  return call;
}

// Whether the batch at the front cannot grow any more. Each call is counted once, as calls arrive
// one by one.
bool BatchQueue::is_full() {
  const Call& first = *calls_.front();
  if (!policy_.batchable || first.alone) return true;
  if (counted_ == 0) counted_rows_ = 0;
  for (; counted_ < calls_.size() && counted_rows_ < policy_.max_batch; ++counted_) {
    const Call& next = *calls_[counted_];
    const bool fits =
        counted_ == 0 || (counted_rows_ + next.rows <= policy_.max_batch && joins(first, next));
    if (!fits) return true;
    counted_rows_ += next.rows;
  }
  return counted_rows_ >= policy_.max_batch;
}

TimePoint BatchQueue::ripe_at(TimePoint now) {
  if (policy_.max_wait == Duration::zero()) return now;
  const Call& first = *calls_.front();
  // The model needs time before the deadline, too.
  const TimePoint by_deadline =
      first.deadline == kNoDeadline ? kNoDeadline : first.deadline - 2 * policy_.max_wait;
  idle_since_ = std::min(idle_since_, now);
  const TimePoint ripe = std::min(idle_since_ + policy_.max_wait, by_deadline);
  if (ripe <= now || is_dropped(first, now) || is_full()) return now;
  return ripe;
}

std::vector<CallPtr> BatchQueue::take(TimePoint now, std::size_t idle_workers,
                                      std::vector<CallPtr>& dropped) {
  // Shares are counted in calls, not rows: a slightly uneven share costs less than counting rows.
  // What has waited for a fuller batch is not shared.
  if (policy_.max_wait != Duration::zero()) idle_workers = 1;
  idle_since_ = kNoDeadline;
  const std::size_t share =
      (calls_.size() + idle_workers - 1) / std::max<std::size_t>(idle_workers, 1);
  std::vector<CallPtr> batch;
  std::uint64_t rows = 0;
  while (!calls_.empty() && (batch.empty() || batch.size() < share)) {
    const CallPtr& next = calls_.front();
    if (is_dropped(*next, now)) {
      dropped.push_back(pop_front());
      continue;
    }
    if (!batch.empty() && (rows + next->rows > policy_.max_batch || !joins(*batch.front(), *next)))
      break;
    rows += next->rows;
    batch.push_back(pop_front());
    if (!policy_.batchable || batch.front()->alone) break;
  }
  return batch;
}

void BatchQueue::expire(TimePoint now, std::vector<CallPtr>& dropped) {
  const auto first = std::stable_partition(
      calls_.begin(), calls_.end(), [&](const CallPtr& call) { return !is_dropped(*call, now); });
  for (auto it = first; it != calls_.end(); ++it) {
    bytes_ -= (*it)->bytes;
    dropped.push_back(std::move(*it));
  }
  calls_.erase(first, calls_.end());
  counted_ = 0;
}

std::vector<CallPtr> BatchQueue::take_all() {
  std::vector<CallPtr> all(std::move_iterator(calls_.begin()), std::move_iterator(calls_.end()));
  calls_.clear();
  bytes_ = 0;
  counted_ = 0;
  return all;
}

bool BatchQueue::is_dropped(const Call& call, TimePoint now) const {
  return !call.is_wanted() || now >= call.deadline ||
         (!call.alone && now - call.enqueued > policy_.max_latency);
}

bool BatchQueue::joins(const Call& first, const Call& next) const {
  if (next.alone) return false;
  if (policy_.lists) return true;
  if (next.inputs.size() != first.inputs.size()) return false;
  for (std::size_t i = 0; i < first.inputs.size(); ++i) {
    const wire::Value& a = first.inputs[i];
    const wire::Value& b = next.inputs[i];
    if (a.kind != b.kind || a.dtype != b.dtype || a.shape.size() != b.shape.size()) return false;
    for (std::size_t axis = 0; axis < a.shape.size(); ++axis) {
      if (axis != static_cast<std::size_t>(policy_.axis) && a.shape[axis] != b.shape[axis])
        return false;
    }
  }
  return true;
}

}  // namespace bentohost::runner
