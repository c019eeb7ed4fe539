// proxy_request: answers a request by an app that runs as a program of its own: it puts the request
// before the proxy (upstream) as a Downstream. On the loop where it can be; where the request is on
// a thread, inside of blocking middleware, that thread passes the bytes to and from a loop.
#pragma once

#include <memory>

#include "base/loop/event_loop.h"
#include "service/request.h"
#include "upstream/upstream.h"

namespace bentohost::service {

// [loop, or the request's thread] For a request with a streamed body. On a thread it returns when
// the request is answered; `loop` then does the proxy's work.
void proxy_request(const RequestPtr& request, const std::shared_ptr<upstream::Upstream>& upstream,
                   EventLoop& loop);

}  // namespace bentohost::service
