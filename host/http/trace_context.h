// W3C Trace Context: the header that says which trace a request is part of. Pure; any thread.
#pragma once

#include <string_view>

#include "http/message.h"

namespace bentohost::http {

// The request's traceparent, a view into `headers`. Empty if the request has no such header, or
// several, or a malformed one, which are to be ignored (Trace Context 3.2.2.5 and 4.3).
std::string_view traceparent(const Headers& headers);

}  // namespace bentohost::http
