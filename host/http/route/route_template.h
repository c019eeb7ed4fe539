// Route templates: "/v1/models/{model}:predict". A segment is literal text, or one parameter in
// braces, perhaps with literal text around it. Checked once, when a route is declared. Pure; any
// thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::http {

inline constexpr std::size_t kMaxRoute = 1024;    // bytes; the router's depth follows from it
inline constexpr std::size_t kMaxParameters = 8;  // in one route

// INVALID_ARGUMENT, with the reason, for a route that no path matches or that is not as above. A
// route starts with one '/' and has no '?', '#', percent escape, white space or control byte, and
// no "." or ".." segment. A parameter's name has letters, digits and '_', and is unique in a route.
Status check_route(std::string_view route);
// The same for the prefix of a mount or a service, which also has no parameters.
Status check_prefix(std::string_view prefix);
// Adds a slash in front if it is missing: "v1/predict", as BentoML writes it, becomes
// "/v1/predict". "" stays "": no route.
std::string with_leading_slash(std::string_view route);

struct Segment {
  std::string_view before;  // literal text; the whole segment if there is no parameter
  std::string_view name;    // the parameter's; empty: no parameter
  std::string_view after;
};
// Takes the first segment off `path`, which starts with its '/': "/a//b" is "a", "" and "b".
std::string_view take_segment(std::string_view& path);
// `text` is a segment of a checked route.
Segment parse_segment(std::string_view text);

}  // namespace bentohost::http
