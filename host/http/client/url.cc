#include "http/client/url.h"

#include <algorithm>

#include "http/parse/ip_address.h"
#include "http/syntax.h"

namespace bentohost::http {
namespace {

constexpr std::uint16_t kHttpPort = 80, kHttpsPort = 443;
constexpr std::size_t kMaxName = 253;  // RFC 1035 2.3.4, as text
constexpr std::size_t kMostShown = 100;

// Shows its scheme and host alone: a path, a query or a password may be secret.
Status refuse(std::string_view url, const char* why) {
  const std::size_t slashes = url.find("://");
  const std::size_t host = slashes == url.npos ? 0 : slashes + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", host), url.size());
  const std::size_t at = url.substr(0, end).rfind('@');
  std::string shown;
  for (const char c : url.substr(0, host)) shown += c >= ' ' && c < 0x7f ? c : '?';
  const std::size_t from = at == url.npos || at < host ? host : at + 1;
  for (const char c : url.substr(from, std::min(end - from, kMostShown))) {
    shown += c >= ' ' && c < 0x7f ? c : '?';
  }
  if (from + kMostShown < url.size() || end < url.size()) shown += "...";
  return Status(BENTO_INVALID_ARGUMENT, "URL \"" + shown + "\": " + why);
}

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c; }

// Null: it is well-formed.
const char* read_authority(std::string_view authority, Url& url) {
  if (authority.find('@') != authority.npos) return "a user name in it is not supported";
  std::size_t end = std::min(authority.find(':'), authority.size());
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == authority.npos) return "there is a '[' without its ']'";
    const auto address = IpAddress::parse(authority.substr(1, bracket - 1));
    if (!address || authority.find(':') > bracket) return "between [ and ] is no IPv6 address";
    url.host = authority.substr(1, bracket - 1);
    url.is_address = true;
    end = bracket + 1;
  } else {
    url.host = authority.substr(0, end);
    std::transform(url.host.begin(), url.host.end(), url.host.begin(), to_lower);
    url.is_address = IpAddress::parse(url.host).has_value();
  }
  if (url.host.empty()) return "there is no host in it";
  const bool is_name =
      url.is_address ||
      (url.host.size() <= kMaxName && std::all_of(url.host.begin(), url.host.end(), is_host_char));
  if (!is_name)
    return "its host has a character that no name has, or is longer than 253 characters";
  url.port = url.is_tls ? kHttpsPort : kHttpPort;
  if (end == authority.size()) return nullptr;
  if (authority[end] != ':') return "between ']' and the port there must be a ':'";
  const auto port = parse_port(authority.substr(end + 1));
  if (!port || *port == 0) return "its port is not a number from 1 to 65535";
  url.port = *port;
  return nullptr;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  constexpr std::string_view kHttp = "http://", kHttps = "https://";
  const bool is_ascii =
      std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (!is_ascii) return refuse(text, "it has a blank, a control byte or a byte that is not ASCII");
  Url url;
  const auto has_scheme = [text](std::string_view scheme) {
    return equals_ignoring_case(text.substr(0, scheme.size()), scheme);
  };
  url.is_tls = has_scheme(kHttps);
  if (!url.is_tls && !has_scheme(kHttp)) {
    return refuse(text, "it does not begin with http:// or https://");
  }
  std::string_view rest = text.substr(url.is_tls ? kHttps.size() : kHttp.size());
  rest = rest.substr(0, rest.find('#'));
  const std::size_t end = std::min(rest.find_first_of("/?"), rest.size());
  url.target = rest.substr(end);
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  if (const char* why = read_authority(rest.substr(0, end), url)) return refuse(text, why);
  return url;
}

std::string Url::origin() const {
  const bool is_v6 = host.find(':') != host.npos;
  return (is_tls ? "https://" : "http://") + (is_v6 ? "[" + host + "]" : host) + ":" +
         std::to_string(port);
}

std::string Url::host_field() const {
  const bool is_v6 = host.find(':') != host.npos;
  std::string field = is_v6 ? "[" + host + "]" : host;
  if (port != (is_tls ? kHttpsPort : kHttpPort)) field += ":" + std::to_string(port);
  return field;
}

}  // namespace bentohost::http
