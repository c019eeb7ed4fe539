#include "http/route/route_template.h"

#include <algorithm>
#include <array>
#include <string>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

Status refuse(std::string_view route, std::string_view why) {
  return Status(BENTO_INVALID_ARGUMENT, "route \"" + std::string(route) + "\" " + std::string(why));
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool is_name(std::string_view text) {
  return !text.empty() && !is_digit(text[0]) && std::all_of(text.begin(), text.end(), [](char c) {
    return is_digit(c) || c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  });
}

// Why this byte is not allowed in a route; empty if it is allowed.
std::string_view fault_of_byte(std::string_view route, std::size_t at) {
  const auto byte = static_cast<unsigned char>(route[at]);
  if (byte <= ' ' || byte == 0x7f) return "has white space or a control byte";
  if (byte == '?' || byte == '#') return "has a query or a fragment";
  const bool is_escape = byte == '%' && route.size() - at > 2 && hex_digit(route[at + 1]) >= 0 &&
                         hex_digit(route[at + 2]) >= 0;
  return is_escape ? "has a percent escape; routes are matched decoded" : "";
}

// Why this is not a valid segment; empty if it is valid.
std::string_view fault_of_segment(std::string_view segment) {
  if (segment == "." || segment == "..") return "has a \".\" or \"..\" segment";
  const std::size_t open = segment.find('{');
  const std::size_t close = segment.find('}');
  if (open == segment.npos && close == segment.npos) return "";
  if (open == segment.npos || close < open) return "has a '}' without its '{'";
  if (close == segment.npos) return "has a '{' without its '}' in the same segment";
  if (segment.find_first_of("{}", close + 1) != segment.npos) {
    return "has more than one parameter in a segment";
  }
  return is_name(segment.substr(open + 1, close - open - 1))
             ? ""
             : "has a parameter whose name is not of letters, digits and '_'";
}

}  // namespace

std::string_view take_segment(std::string_view& path) {
  const std::size_t end = std::min(path.find('/', 1), path.size());
  const std::string_view segment = path.substr(1, end - 1);
  path.remove_prefix(end);
  return segment;
}

Segment parse_segment(std::string_view text) {
  const std::size_t open = text.find('{');
  if (open == text.npos) return {text, {}, {}};
  const std::size_t close = text.find('}');
  return {text.substr(0, open), text.substr(open + 1, close - open - 1), text.substr(close + 1)};
}

Status check_route(std::string_view route) {
  if (!route.starts_with('/')) return refuse(route, "does not start with '/'");
  if (route.starts_with("//")) return refuse(route, "starts with more than one '/'");
  if (route.size() > kMaxRoute) return refuse(route, "is longer than 1024 bytes");
  for (std::size_t i = 0; i < route.size(); ++i) {
    if (const auto fault = fault_of_byte(route, i); !fault.empty()) return refuse(route, fault);
  }
  std::array<std::string_view, kMaxParameters> names;
  std::size_t count = 0;
  for (std::string_view rest = route; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    if (const auto fault = fault_of_segment(segment); !fault.empty()) return refuse(route, fault);
    const std::string_view name = parse_segment(segment).name;
    if (name.empty()) continue;
    if (std::find(names.begin(), names.begin() + count, name) != names.begin() + count) {
      return refuse(route, "has the parameter {" + std::string(name) + "} twice");
    }
    if (count == kMaxParameters) return refuse(route, "has more than 8 parameters");
    names[count++] = name;
  }
  return Status();
}

std::string with_leading_slash(std::string_view route) {
  std::string text;
  if (!route.empty() && !route.starts_with('/')) text.push_back('/');
  return text.append(route);
}

Status check_prefix(std::string_view prefix) {
  if (Status status = check_route(prefix); !status.ok()) return status;
  if (prefix.find('{') == prefix.npos) return Status();
  return refuse(prefix, "has a parameter; a prefix is literal");
}

}  // namespace bentohost::http
