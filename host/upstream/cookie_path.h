// Set-Cookie's Path below a mount's prefix: two apps that both set "Path=/" would overwrite each
// other's cookies. Pure; any thread.
#pragma once

#include <string_view>

#include "http/message.h"

namespace bentohost::upstream {

// Puts `prefix` ("/old") in front of each Path of the Set-Cookie fields that is not below it yet.
void prefix_cookie_paths(std::string_view prefix, http::Headers& headers);

}  // namespace bentohost::upstream
