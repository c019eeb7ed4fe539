// The templates of routes: "/v1/models/{model}:predict". A segment is literal text, or one
// parameter in braces with literal text before or after it. Checked once, when a route is declared.
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::http {

inline constexpr std::size_t kMaxRoute = 1024;    // bytes; the router's depth follows from it
inline constexpr std::size_t kMaxParameters = 8;  // of one route

// INVALID_ARGUMENT, with the reason, for what no path matches or what is not as above: a route
// starts with one '/', has no '?', '#', percent escape, white space or control byte, nor a "." or
// ".." segment. A parameter's name is of letters, digits and '_', and stands once in a route.
Status check_route(std::string_view route);
// The same for a prefix, of a mount or a service: it has no parameters either.
Status check_prefix(std::string_view prefix);
// With a slash in front, where there is none: "v1/predict", as BentoML has it, is "/v1/predict". ""
// stays what it is: no route.
std::string with_leading_slash(std::string_view route);

struct Segment {
  std::string_view before;  // literal text; all of it when there is no parameter
  std::string_view name;    // of the parameter; empty: there is none
  std::string_view after;
};
// Takes the first segment off `path`, which starts with its '/': "/a//b" is "a", "" and "b".
std::string_view take_segment(std::string_view& path);
// `text` is a segment of a checked route.
Segment parse_segment(std::string_view text);

}  // namespace bentohost::http
