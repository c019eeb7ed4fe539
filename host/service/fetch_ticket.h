// Fetches of plugins: a request to another server as a ticket, whose results are events.
#pragma once

#include <bento/abi.h>

#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "http/client/client.h"
#include "observe/metrics.h"
#include "plugin/context.h"

namespace bentohost::service {

// Whose request it is.
struct FetchSource {
  http::Client* client;  // null: UNAVAILABLE
  observe::Metrics* metrics;
  const Clock* clock;
  std::string_view service = {};
  std::string_view request_id = {}, traceparent = {};  // sent along, if not empty
  TimePoint deadline = kNoDeadline;
};

// [worker] [loop] As the ABI's fetch().
Result<plugin::TicketPtr> start_fetch(const FetchSource& source, plugin::Waiter waiter,
                                      const bento_fetch& asked);

}  // namespace bentohost::service
