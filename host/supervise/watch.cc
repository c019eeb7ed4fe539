#include "supervise/watch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/log.h"

namespace bentohost::supervise {
namespace {

Duration own_limit(Duration limit, std::optional<Duration> systemds) {
  return systemds ? std::min(limit, *systemds * 3 / 4) : limit;
}

}  // namespace

Watch::Watch(Duration limit, TimePoint now) : ours_(own_limit(limit, systemds_)) {
  ours_.excuse(now);
  if (systemds_) feed_at_ = now;
}

Duration Watch::beat() const {
  const Duration ours = ours_.interval();
  const Duration systemds = systemds_ ? *systemds_ / 4 : Duration::zero();
  return ours == Duration::zero() ? systemds : ours;
}

TimePoint Watch::next() const { return std::min({feed_at_, ours_.next_look(), end_at_}); }

bool Watch::turn(ServingProcess* serving, TimePoint now) {
  if (serving != nullptr && !serving->is_ready()) serving = nullptr;
  if (now >= ours_.next_look()) look(serving, now);
  if (now >= feed_at_) feed(serving, now);
  if (now < end_at_) return false;
  end_at_ = kNoDeadline;
  return serving != nullptr && serving->is_hung;
}

void Watch::look(ServingProcess* serving, TimePoint now) {
  if (serving == nullptr) return ours_.excuse(now);
  const bool has_hung = ours_.look(std::max(serving->beat_at, serving->ready_at), now);
  if (ours_.is_silent() && is_stopped(serving->pid)) return ours_.excuse(now);
  if (!has_hung || serving->is_hung) return;
  log_error("the serving process hangs: an event loop does not turn; ending the process",
            {{"pid", serving->pid}, {"silent_for", in_seconds(ours_.silent_for())}});
  serving->is_hung = true;
  serving->control.send("hang");
  end_at_ = now + kReportTime;
}

void Watch::feed(const ServingProcess* serving, TimePoint now) {
  feed_at_ = now + *systemds_ / 2;
  // Until a process is ready, and while one that hangs is being ended, systemd watches us alone.
  const bool is_silent =
      serving != nullptr && !serving->is_hung && now - serving->beat_at > *systemds_;
  if (!is_silent) {
    is_late_ = false;
    notify("WATCHDOG=1");
  } else if (!std::exchange(is_late_, true)) {
    log_error("an event loop of the serving process does not turn: systemd gets no more WATCHDOG=1",
              {{"pid", serving->pid}, {"silent_for", in_seconds(now - serving->beat_at)}});
  }
}

}  // namespace bentohost::supervise
