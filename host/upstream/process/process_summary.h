// ProcessSummary: what others ask about the processes of a mount. Any thread.
#pragma once

#include "base/clock.h"
#include "base/mutex.h"
#include "base/status.h"

namespace bentohost::upstream {

class ProcessSummary {
 public:
  // These three: as those of AppProcesses.
  Result<bool> is_warm() const;
  Status readiness() const;
  Status may_get_ready() const;
  void wait_until_gone(TimePoint when);

  void set(Result<bool> warm, Status readiness);
  void fail_first_start(Status why);  // the first call counts
  void set_gone();

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  Result<bool> warm_ BENTO_GUARDED_BY(mutex_) = false;
  Status readiness_ BENTO_GUARDED_BY(mutex_) = Status(BENTO_UNAVAILABLE, "it is starting");
  Status first_failure_ BENTO_GUARDED_BY(mutex_);
  bool is_gone_ BENTO_GUARDED_BY(mutex_) = false;
};

}  // namespace bentohost::upstream
