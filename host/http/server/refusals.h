// The refusals that the server itself sends: each has a status, a label for the metrics, and
// headers of the response. Pure.
#pragma once

#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "http/server/connection_deadlines.h"

namespace bentohost::http {

// For a request that could not be read; `status` has an http_status().
Refusal refusal_of(Status status);
// 408: the request has not arrived by a deadline: kHeadTimeout, kBodyTimeout or kBodyTooSlow.
Refusal refusal_of(DueAction timeout);
// 503: no thread is left for the request. `status` says why.
Refusal no_thread_refusal(const Status& status);
// 400: plain HTTP on a port that speaks TLS.
Refusal plain_http_refusal();

// The metrics label for a request or response that a deadline ends; empty if it is nobody's fault.
std::string_view reason_of(DueAction action);

}  // namespace bentohost::http
