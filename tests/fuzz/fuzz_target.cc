// Any bytes as the request target of several methods: an accepted path is normal, so that no later
// stage can be led out of its folder, and parsing it again changes nothing.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/parse/target.h"
#include "http/route/route_template.h"

namespace bentohost::http {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void check_path(std::string_view path) {
  require(path.starts_with('/'));
  require(path.find('\0') == path.npos);
  for (std::string_view rest = path; !rest.empty();) {
    const std::string_view segment = take_segment(rest);
    require(segment != "." && segment != "..");
  }
}

// `path` as a client would send it, with as many escapes as there can be.
std::string escape(std::string_view path) {
  std::string escaped;
  for (const char c : path) {
    if (c == '/') {
      escaped += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    escaped += {'%', "0123456789abcdef"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
  }
  return escaped;
}

void check(std::string_view method, std::string_view target) {
  Target out{"left", "from", "before"};
  const Status status = parse_target(method, target, out);
  if (!status.ok()) {
    require(status.http_status() == 400 && !status.message().empty());
    require(out.path.empty() && out.query.empty() && out.authority.empty());
    return;
  }
  if (out.path == "*") return require(method == "OPTIONS" && target == "*");
  if (out.path.empty()) return require(method == "CONNECT" && out.authority == target);
  check_path(out.path);
  require(target.ends_with(out.query));
  require(out.authority.empty() == target.starts_with('/'));

  Target again;
  require(parse_target(method, escape(out.path) + "?" + out.query, again).ok());
  require(again.path == out.path && again.query == out.query && again.authority.empty());
}

}  // namespace
}  // namespace bentohost::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view target(reinterpret_cast<const char*>(data), size);
  for (const char* method : {"GET", "OPTIONS", "CONNECT"}) bentohost::http::check(method, target);
  return 0;
}
