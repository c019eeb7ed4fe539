// ServiceReaper: ends services that nobody holds any more, on threads of its own: on_shutdown,
// destroy, close; then the image stays mapped, or is unmapped if that is asked for. A plugin that
// does not return from these calls delays only its own end.
#pragma once

#include <memory>

#include "base/clock.h"
#include "base/loop/thread_pool.h"
#include "observe/metrics.h"
#include "reload/generation.h"

namespace bentohost::reload {

class ServiceReaper {
 public:
  // After the last call, the runners have this long to end by themselves.
  static constexpr Duration kRunnerExitTime = std::chrono::seconds(2);

  ServiceReaper(const Clock& clock, observe::Metrics& metrics, bool unmaps);

  // Returns a pointer whose last copy, on any thread, ends the service and updates `generation`.
  std::shared_ptr<service::LiveService> adopt(std::unique_ptr<service::LiveService> service,
                                              GenerationPtr generation);
  // Waits until `deadline` for the ends that are under way. False: a plugin has not returned.
  bool stop(TimePoint deadline);

 private:
  // Shared with the pointers, which may outlive the reaper.
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace bentohost::reload
