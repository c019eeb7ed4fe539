// The Location of a redirect that adds or removes the slash at the end of a path. Pure; any thread.
// Relative references, so that they work below any prefix that a proxy removes, and cannot lead to
// another host.
#pragma once

#include <string>
#include <string_view>

namespace bentohost::http {

// From "/a/b" to "/a/b/": "./b/", then "?" and the query, if there is one. Without "./", a name
// with a colon would be read as a scheme.
std::string location_with_slash(std::string_view path, std::string_view query);
// From "/a/b/" to "/a/b": "../b".
std::string location_without_slash(std::string_view path, std::string_view query);

}  // namespace bentohost::http
