#include "http/parse/target.h"

#include <algorithm>
#include <array>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

// What to do about a byte of the path. For most it is nothing, and such a path is copied as it is.
enum Trait : unsigned char { kPlain = 0, kInvalid = 1, kEscape = 2, kDot = 4 };

constexpr std::array<unsigned char, 256> kTraits = [] {
  std::array<unsigned char, 256> traits{};
  for (unsigned c = 0; c < traits.size(); ++c) {
    traits[c] = c > ' ' && c < 0x7f && c != '#' ? kPlain : kInvalid;
  }
  traits['%'] = kEscape;
  traits['.'] = kDot;
  return traits;
}();

unsigned traits_of(std::string_view text) {
  unsigned traits = kPlain;
  for (const char c : text) traits |= kTraits[static_cast<unsigned char>(c)];
  return traits;
}

Status refuse(std::string_view why) {
  return Status::with_http(400, BENTO_INVALID_ARGUMENT, std::string(why));
}

Status refuse(Target& out, std::string_view why) {
  for (std::string* part : {&out.path, &out.query, &out.authority}) part->clear();
  return refuse(why);
}

// RFC 3986 5.2.4, in place, for a path that starts with '/'. False when ".." leads above the root.
bool remove_dot_segments(std::string& path) {
  std::size_t at = path.find("/.");
  if (at == std::string::npos) return true;
  std::size_t kept = at;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at + 1), path.size());
    const std::string_view segment = std::string_view(path).substr(at + 1, end - at - 1);
    const bool is_parent = segment == "..";
    if (is_parent && kept == 0) return false;
    if (is_parent) kept = path.rfind('/', kept - 1);
    if (is_parent || segment == ".") {
      if (end == path.size()) path[kept++] = '/';
    } else {
      std::copy(path.data() + at, path.data() + end, path.data() + kept);
      kept += end - at;
    }
    at = end;
  }
  path.resize(kept);
  return true;
}

// "/path?query"; the path may be missing, as in "http://host?query".
Status parse_path(std::string_view text, std::string& to, std::string& to_query) {
  unsigned traits = kPlain;
  std::size_t end = 0;
  for (; end < text.size() && text[end] != '?'; ++end) {
    traits |= kTraits[static_cast<unsigned char>(text[end])];
  }
  const std::string_view path = text.substr(0, end);
  const std::string_view query = text.substr(std::min(end + 1, text.size()));
  if (((traits | traits_of(query)) & kInvalid) != 0) {
    return refuse("the request target has an invalid character");
  }
  if ((traits & kEscape) == 0) {
    to = path;
  } else if (!percent_decode(path, to)) {
    return refuse("the path has an invalid percent escape");
  }
  if ((traits & (kEscape | kDot)) != 0 && !remove_dot_segments(to)) {
    return refuse("the path leads above the root");
  }
  if (to.empty()) to.push_back('/');
  to_query = query;
  return Status();
}

// The length of "http://" or "https://", or 0.
std::size_t scheme_length(std::string_view target) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (equals_ignoring_case(target.substr(0, scheme.size()), scheme)) return scheme.size();
  }
  return 0;
}

}  // namespace

Status parse_origin(std::string_view target, std::string& path, std::string& query) {
  Status status = parse_path(target, path, query);
  if (!status.ok()) {
    path.clear();
    query.clear();
  }
  return status;
}

Status parse_target(std::string_view method, std::string_view target, Target& out) {
  out.authority.clear();
  if (target.starts_with('/')) return parse_origin(target, out.path, out.query);
  out.path.clear();
  out.query.clear();
  if (target == "*") {
    if (method != "OPTIONS") return refuse(out, "only OPTIONS has \"*\" as its target");
    out.path.push_back('*');
    return Status();
  }
  if (method == "CONNECT") {
    out.authority = target;
    const bool has_port = target.find(':') != std::string_view::npos && !target.ends_with(':');
    return has_port && is_authority(target)
               ? Status()
               : refuse(out, "the target of CONNECT is not \"host:port\"");
  }
  const std::size_t scheme = scheme_length(target);
  if (scheme == 0) return refuse(out, "the request target is neither a path nor an http URI");
  target.remove_prefix(scheme);
  out.authority = target.substr(0, target.find_first_of("/?"));
  // is_authority() refuses user information, as RFC 9110 4.2.4 advises.
  if (!is_authority(out.authority)) return refuse(out, "the request target has no valid host");
  Status status = parse_origin(target.substr(out.authority.size()), out.path, out.query);
  if (!status.ok()) out.authority.clear();
  return status;
}

}  // namespace bentohost::http
