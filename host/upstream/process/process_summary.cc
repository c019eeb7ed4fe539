#include "upstream/process/process_summary.h"

#include <utility>

namespace bentohost::upstream {

Result<bool> ProcessSummary::is_warm() const {
  const MutexLock lock(mutex_);
  return warm_;
}

Status ProcessSummary::readiness() const {
  const MutexLock lock(mutex_);
  return readiness_;
}

Status ProcessSummary::may_get_ready() const {
  const MutexLock lock(mutex_);
  return first_failure_;
}

void ProcessSummary::set(Result<bool> warm, Status readiness) {
  const MutexLock lock(mutex_);
  warm_ = std::move(warm);
  readiness_ = std::move(readiness);
}

void ProcessSummary::fail_first_start(Status why) {
  const MutexLock lock(mutex_);
  if (first_failure_.ok()) first_failure_ = std::move(why);
}

void ProcessSummary::set_gone() {
  const MutexLock lock(mutex_);
  is_gone_ = true;
  changed_.notify_all();
}

void ProcessSummary::wait_until_gone(TimePoint when) {
  const MutexLock lock(mutex_);
  while (!is_gone_) {
    if (changed_.wait_until(mutex_, when) == std::cv_status::timeout) return;
  }
}

}  // namespace bentohost::upstream
