#include "service/loop_stalls.h"

#include <prometheus/counter.h>

#include "base/log.h"

namespace bentohost::service {

void LoopStalls::note(Duration took, TimePoint now, RequestDeps& deps) {
  deps.metrics.loop_stalls(service_, api_).Increment();
  const Duration::rep present = now.time_since_epoch().count();
  Duration::rep quiet = quiet_until_.load();
  if (present < quiet) return;
  const Duration::rep next = (now + kBetweenWarnings).time_since_epoch().count();
  if (!quiet_until_.compare_exchange_strong(quiet, next)) return;
  log_warning(
      "a plugin held up an event loop, and all connections of it: what takes long belongs on a "
      "thread",
      {{"api", api_}, {"service", service_}, {"took", seconds_text(took)}});
}

}  // namespace bentohost::service
