// What the front itself refuses a request with: the label for the metrics, and headers that belong
// to the answer. Pure.
#pragma once

#include <string_view>

#include "base/status.h"
#include "http/message.h"
#include "http/server/connection_deadlines.h"

namespace bentohost::http {

// Of a request that could not be read; `status` has an http_status().
Refusal refusal_of(Status status);
// 408: of one that has not arrived by a deadline: kHeadTimeout, kBodyTimeout or kBodyTooSlow.
Refusal refusal_of(DueAction timeout);
// 503: of one that no thread is left for. `status` says why.
Refusal no_thread_refusal(const Status& status);
// 400: of plain HTTP on a port that speaks TLS.
Refusal plain_http_refusal();

// The label of what a deadline ends with or without an answer; empty for what is nobody's fault.
std::string_view reason_of(DueAction action);

}  // namespace bentohost::http
