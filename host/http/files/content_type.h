// The Content-Type of a file by its name. Has its own table: cpp-httplib's is not in the header
// that Debian installs, and has no charset. Pure; any thread.
#pragma once

#include <string_view>

namespace bentohost::http {

// By the extension, in any letter case; text has charset=utf-8. "application/octet-stream" for
// unknown extensions. Static text.
std::string_view content_type_of(std::string_view path);

}  // namespace bentohost::http
