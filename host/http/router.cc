#include "http/router.h"

namespace bentohost::http {
namespace {

Status refuse(std::string_view route, std::string_view why) {
  return Status(BENTO_INVALID_ARGUMENT, "route \"" + std::string(route) + "\" " + std::string(why));
}

bool has_dot_segment(std::string_view route) {
  while (!route.empty()) {
    route.remove_prefix(1);  // the slash
    const std::string_view segment = route.substr(0, route.find('/'));
    if (segment == "." || segment == "..") return true;
    route.remove_prefix(segment.size());
  }
  return false;
}

}  // namespace

Status check_route(std::string_view route) {
  if (route.empty() || route[0] != '/') return refuse(route, "does not start with '/'");
  if (route.substr(0, 2) == "//") return refuse(route, "starts with more than one '/'");
  for (const char c : route) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f) return refuse(route, "has white space or a control byte");
    if (c == '?' || c == '#') return refuse(route, "has a query or a fragment");
    if (c == '{' || c == '}') return refuse(route, "has a parameter; routes are literal");
  }
  if (has_dot_segment(route)) return refuse(route, "has a \".\" or \"..\" segment");
  return Status();
}

}  // namespace bentohost::http
