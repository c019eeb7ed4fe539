// LoopStalls: notes when a call into a plugin holds up an event loop, and with it all its
// connections: in the log once a minute, in metrics each time. One for each function of a plugin
// that is called on loops. [any loop]
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <utility>

#include "base/clock.h"
#include "service/request_deps.h"

namespace bentohost::service {

class LoopStalls {
 public:
  static constexpr Duration kLimit = std::chrono::milliseconds(10);
  static constexpr Duration kBetweenWarnings = std::chrono::minutes(1);

  LoopStalls(std::string service, std::string api)
      : service_(std::move(service)), api_(std::move(api)) {}

  // One call, while it lives.
  class Call {
   public:
    // Null: the call is on a thread, and holds up nobody.
    Call(LoopStalls* stalls, RequestDeps& deps)
        : stalls_(stalls), deps_(deps), begun_(stalls ? deps.clock.now() : TimePoint()) {}
    ~Call() {
      if (stalls_ == nullptr) return;
      const TimePoint now = deps_.clock.now();
      if (now - begun_ > kLimit) stalls_->note(now - begun_, now, deps_);
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;

   private:
    LoopStalls* const stalls_;
    RequestDeps& deps_;
    const TimePoint begun_;
  };

 private:
  void note(Duration took, TimePoint now, RequestDeps& deps);

  const std::string service_, api_;
  std::atomic<Duration::rep> quiet_until_ = 0;
};

}  // namespace bentohost::service
