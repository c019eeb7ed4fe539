#include "service/operator_check.h"

#include <algorithm>
#include <string_view>

#include "http/parse/ip_address.h"
#include "http/syntax.h"

namespace bentohost::service {
namespace {

// The host without its port and without the brackets of an IPv6 address.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.rfind(':'));
}

bool is_known(std::string_view host, const std::vector<std::string>& names) {
  const auto is_it = [host](std::string_view name) {
    return http::equals_ignoring_case(host, name);
  };
  return host.empty() || http::IpAddress::parse(host).has_value() || is_it("localhost") ||
         std::any_of(names.begin(), names.end(), is_it);
}

}  // namespace

Status check_operator(const http::Request& request, const std::vector<std::string>& names) {
  if (request.server.starts_with("unix")) return {};
  const std::string_view authority = http::find_header(request.headers, "host");
  if (!is_known(host_of(authority), names)) {
    return Status(BENTO_PERMISSION_DENIED,
                  "this is the admin port, which does not know the host " +
                      std::string(host_of(authority)) +
                      ": ask it by its address, or name the host with --admin-host");
  }
  if (!http::has_header(request.headers, "origin")) return {};
  std::string_view origin = http::find_header(request.headers, "origin");
  const std::size_t scheme = origin.find("://");
  origin.remove_prefix(scheme == std::string_view::npos ? origin.size() : scheme + 3);
  if (!origin.empty() && http::equals_ignoring_case(origin, authority)) return {};
  return Status(BENTO_PERMISSION_DENIED,
                "this is the admin port, which takes no requests from pages of other origins");
}

}  // namespace bentohost::service
