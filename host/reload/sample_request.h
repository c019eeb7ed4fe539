// A trial request: it has no client, and its response is only checked, to see whether a generation
// that does not serve yet would work.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/status.h"
#include "service/routing/dispatcher.h"

namespace bentohost::reload {

// Has `route` answer a request with this body. (waits) OK for 2xx; otherwise UNAVAILABLE, which
// quotes the response, or DEADLINE_EXCEEDED after `longest`.
Status try_route(service::Dispatcher& dispatcher,
                 const std::shared_ptr<const service::Route>& route, std::string content_type,
                 std::string body, const Clock& clock, Duration longest);

}  // namespace bentohost::reload
