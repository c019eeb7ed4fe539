// Error responses: application/problem+json, RFC 9457, with one writer for all of them.
#pragma once

#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::http {

// "Not Found" for 404: the reason phrase of RFC 9110 section 15, or "Error" for others.
std::string_view reason_phrase(int status);

// {"type":"about:blank","title":"Not
// Found","status":404,"detail":...,"instance":...,"request_id":...} `instance` is the request's
// path; empty members are left out. 503 gets Retry-After: 1; 401 WWW-Authenticate: Bearer (RFC 9110
// 15.5.2 wants a challenge, and this one opens no dialog in a browser).
Response problem(int status, std::string_view detail, std::string_view instance = {},
                 std::string_view request_id = {});
// The response to a request that the server refuses.
Response problem(const Refusal& refusal, std::string_view instance = {},
                 std::string_view request_id = {});

}  // namespace bentohost::http
