// The memory of a response that has been sent, for one that is made later on the same thread: of
// the texts and headers that a server of another program has sent, for instance. [any]
#pragma once

#include "http/message.h"

namespace bentohost::http {

// A response as if it were new, but with memory for its body, content type and headers if there is
// some.
Response take_spare_response();
// `response` is not needed any more. What a large one has is freed, and what one without headers
// has.
void keep_spare_response(Response&& response);

}  // namespace bentohost::http
