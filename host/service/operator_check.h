// Protects the admin port from web pages that are open in an operator's browser: only programs and
// people may use it. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::service {

// PERMISSION_DENIED for a request that a page may have made: its Host is a name that is not in
// `names` (a page's own name, which its owner lets resolve to us: DNS rebinding), or its Origin
// differs from its Host (a form or a script of a page: CSRF). An address, localhost or a missing
// Host is not a page's own name; pages cannot use Unix sockets.
Status check_operator(const http::Request& request, const std::vector<std::string>& names);

}  // namespace bentohost::service
