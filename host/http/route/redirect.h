// Where a redirect leads that adds or takes away the slash at the end of a path. Pure; any thread.
// Relative references, so that they hold below any prefix that a proxy takes off, and cannot lead
// to another host.
#pragma once

#include <string>
#include <string_view>

namespace bentohost::http {

// From "/a/b" to "/a/b/": "./b/", and "?" and the query, if there is one. "./" keeps a colon in the
// name from ending a scheme.
std::string location_with_slash(std::string_view path, std::string_view query);
// From "/a/b/" to "/a/b": "../b".
std::string location_without_slash(std::string_view path, std::string_view query);

}  // namespace bentohost::http
