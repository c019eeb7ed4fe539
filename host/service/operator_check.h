// Who may speak at the operators' listener: programs and people, and not the web pages that are
// open in an operator's browser. Pure; any thread.
#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::service {

// PERMISSION_DENIED for a request that a page may have made: one whose Host is a name that is not
// in `names` (a page's own name, which its owner lets lead here: DNS rebinding), or whose Origin is
// another than its Host (a form or a script of a page: CSRF). Addresses, localhost and requests
// without a Host are no page's; pages cannot come by Unix sockets.
Status check_operator(const http::Request& request, const std::vector<std::string>& names);

}  // namespace bentohost::service
