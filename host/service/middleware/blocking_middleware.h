// Runs a middleware that may wait, on a thread, and provides its next().
#pragma once

#include <bento/abi.h>

#include <functional>
#include <memory>

#include "http/message.h"
#include "service/middleware/inner_exchange.h"
#include "service/middleware/middleware.h"
#include "service/request.h"
#include "service/tracked_exchange.h"

namespace bentohost::service {

// The rest of the chain, further in: answers the exchange, now or later.
using Inner = std::function<void(const std::shared_ptr<InnerExchange>&)>;

// [worker] (waits) Runs `middleware` around `inner`, and makes sure that `exchange` is answered.
// `outer` keeps `exchange` and the tracked exchange alive.
void run_blocking(RequestDeps& deps, TrackedExchange& tracked, http::Exchange& exchange,
                  const std::shared_ptr<const void>& outer, const Middleware& middleware,
                  const std::shared_ptr<const LiveService>& service, const Inner& inner);

}  // namespace bentohost::service
