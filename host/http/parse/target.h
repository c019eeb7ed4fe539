// parse_target: the one place where a request target becomes a path and a query. The path is
// decoded once, then its dot segments are removed once, so that no later stage needs to look for
// "..", "%2e%2e" or "..%2f". Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::http {

struct Target {
  // Starts with '/', or is "*" (the asterisk form) or "" (the authority form). It may have any byte
  // except NUL, but no "." or ".." segment. Empty segments are kept: "//x" is not "/x".
  std::string path;
  std::string query;      // raw, after '?'
  std::string authority;  // in the absolute and the authority form: "host" or "host:port"
};

// The four forms of RFC 9112 3.2: origin ("/p?q"), absolute ("http://host/p?q", also https; an
// empty path is "/"), asterisk ("*", of OPTIONS only) and authority ("host:port", of CONNECT only).
// '+' stays '+'. Dot segments go as in RFC 3986 5.2.4, but ".." above the root is refused, as in
// nginx. So are broken escapes and %00, user information, and all but visible ASCII. An error's
// http_status() is 400, and `out` is then empty. Strings keep their capacity.
Status parse_target(std::string_view method, std::string_view target, Target& out);

// The same for the origin form alone, which most targets have, and for what follows an authority.
Status parse_origin(std::string_view target, std::string& path, std::string& query);

}  // namespace bentohost::http
