#include "http/parse/forwarded.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "http/syntax.h"

namespace bentohost::http {
namespace {

// What one hop says about the hop before it.
struct Hop {
  std::optional<IpEndpoint> client;
  std::string_view scheme;  // empty: not given
};

// The scheme as text that outlives the request; empty for other schemes.
std::string_view known_scheme(std::string_view scheme) {
  for (const std::string_view known : {"http", "https"}) {
    if (equals_ignoring_case(scheme, known)) return known;
  }
  return {};
}

// Whether the quote at `at`, within a quoted string, is escaped.
bool is_escaped(std::string_view text, std::size_t at) {
  const std::size_t before = text.find_last_not_of('\\', at - 1);
  return (at - 1 - before) % 2 != 0;  // npos acts as -1
}

// Takes the last member off `list`, whose members may have quoted commas. Read from the right, a
// quote outside a string closes one, and an unescaped quote inside opens it. For a well-formed
// list, this is the same as reading from the left; for others, the result does not depend on the
// text further left. Nothing if a string has no start.
std::optional<std::string_view> take_last_member(std::string_view& list) {
  bool is_quoted = false;
  for (std::size_t i = list.size(); i-- > 0;) {
    if (list[i] == '"' && !(is_quoted && i > 0 && is_escaped(list, i))) is_quoted = !is_quoted;
    if (list[i] != ',' || is_quoted) continue;
    const std::string_view member = trim(list.substr(i + 1));
    list = list.substr(0, i);
    return member;
  }
  if (is_quoted) return std::nullopt;
  return trim(std::exchange(list, {}));
}

// Walks `list` from the right to where trust ends, parsing each member with `parse`.
template <typename Parse>
std::optional<Hop> farthest_hop(const TrustedProxies& proxies, std::string_view list, Parse parse) {
  Hop farthest;
  while (!list.empty()) {
    const std::optional<std::string_view> member = take_last_member(list);
    if (!member) return std::nullopt;
    if (member->empty()) continue;
    std::optional<Hop> hop = parse(*member);
    if (!hop) return std::nullopt;
    farthest = *std::move(hop);
    if (!farthest.client || !proxies.trusts(farthest.client->address)) break;
  }
  return farthest;
}

std::optional<Hop> parse_address(std::string_view member) {
  const std::optional<IpEndpoint> client = IpEndpoint::parse(member);
  if (!client) return std::nullopt;
  return Hop{client, {}};
}

// obfnode and obfport of RFC 7239 6.3.
bool is_obfuscated(std::string_view text) {
  return text.size() > 1 && text[0] == '_' && is_token(text) &&
         text.find_first_of("!#$%&'*+^`|~") == std::string_view::npos;
}

// RFC 7239 6: sets `client`, or leaves it empty for a node without an address. False: malformed.
bool parse_node(std::string_view node, std::optional<IpEndpoint>& client) {
  const bool has_brackets = node.starts_with('[');
  const std::size_t end = has_brackets ? node.find(']') : node.find(':');
  if (has_brackets && end == std::string_view::npos) return false;
  const std::size_t size = std::min(has_brackets ? end + 1 : end, node.size());
  const std::string_view name = node.substr(0, size);
  std::optional<std::uint16_t> port = 0;
  if (size < node.size()) {
    if (node[size] != ':') return false;
    const std::string_view text = node.substr(size + 1);
    if (!is_obfuscated(text)) port = parse_port(text);
  }
  if (!port) return false;
  if (is_obfuscated(name) || equals_ignoring_case(name, "unknown")) return true;
  client = IpEndpoint::parse(name);
  if (client) client->port = *port;
  return client.has_value();
}

std::string_view take_token(std::string_view& text) {
  std::size_t size = 0;
  while (size < text.size() && is_token(text.substr(size, 1))) ++size;
  const std::string_view token = text.substr(0, size);
  text.remove_prefix(size);
  return token;
}

// A quoted-string of RFC 9110 5.6.4, which starts at its opening quote.
std::optional<std::string> take_quoted(std::string_view& text) {
  std::string value;
  for (std::size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '"') {
      text.remove_prefix(i + 1);
      return value;
    }
    if (text[i] == '\\' && ++i == text.size()) break;
    value.push_back(text[i]);
  }
  return std::nullopt;
}

std::optional<std::string> take_value(std::string_view& text) {
  if (text.starts_with('"')) return take_quoted(text);
  const std::string_view token = take_token(text);
  if (token.empty()) return std::nullopt;
  return std::string(token);
}

// forwarded-element of RFC 7239 4; blanks around ';' are tolerated.
std::optional<Hop> parse_element(std::string_view element) {
  Hop hop;
  bool has_for = false;
  bool has_proto = false;
  while (!element.empty()) {
    if (element[0] != ';') {
      const std::string_view name = take_token(element);
      if (name.empty() || !element.starts_with('=')) return std::nullopt;
      element.remove_prefix(1);
      const std::optional<std::string> value = take_value(element);
      if (!value) return std::nullopt;
      if (equals_ignoring_case(name, "for")) {
        if (std::exchange(has_for, true) || !parse_node(*value, hop.client)) return std::nullopt;
      } else if (equals_ignoring_case(name, "proto")) {
        if (std::exchange(has_proto, true)) return std::nullopt;
        hop.scheme = known_scheme(*value);
      }
      element = trim(element);
      if (!element.empty() && element[0] != ';') return std::nullopt;
    } else {
      element = trim(element.substr(1));
    }
  }
  return hop;
}

void adopt(const std::optional<Hop>& hop, Request& request) {
  if (!hop) return;
  if (hop->client) request.client = hop->client->text();
  if (!hop->scheme.empty()) request.scheme = hop->scheme;
}

// "[fe80::1%eth0]:80" without its zone.
std::string without_zone(std::string_view peer) {
  std::string text(peer);
  if (const std::size_t zone = text.find('%'); zone != std::string::npos) {
    text.erase(zone, std::min(text.find(']', zone), text.size()) - zone);
  }
  return text;
}

}  // namespace

Result<TrustedProxies> TrustedProxies::parse(std::string_view list) {
  TrustedProxies proxies;
  Status status;
  for_each_member(list, [&](std::string_view member) {
    if (member == "*") {
      proxies.everybody_ = true;
    } else if (member == "unix") {
      proxies.unix_ = true;
    } else if (Result<IpNetwork> network = IpNetwork::parse(member); network.ok()) {
      proxies.networks_.push_back(*network);
    } else if (status.ok()) {
      status = std::move(network).take_status();
    }
  });
  if (!status.ok()) return status;
  return proxies;
}

bool TrustedProxies::trusts(std::string_view peer) const {
  if (everybody_) return true;
  if (peer == "unix" || peer.starts_with("unix:")) return unix_;
  const std::optional<IpEndpoint> endpoint = IpEndpoint::parse(without_zone(peer));
  return endpoint && trusts(endpoint->address);
}

bool TrustedProxies::trusts(const IpAddress& address) const {
  return everybody_ ||
         std::any_of(networks_.begin(), networks_.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

void apply_forwarded(const TrustedProxies& proxies, Request& request) {
  const Headers& headers = request.headers;
  bool has_for = false, has_proto = false, has_forwarded = false;
  for (const Header& header : headers) {
    const std::string_view name = header.name;
    if (!name.starts_with('x') && !name.starts_with('f')) continue;  // as most
    has_for |= name == "x-forwarded-for";
    has_proto |= name == "x-forwarded-proto";
    has_forwarded |= name == "forwarded";
  }
  if (!has_for && !has_proto && !has_forwarded) return;
  if (!proxies.trusts(request.client)) return;
  if (has_for) {
    const std::string list = joined_header(headers, "x-forwarded-for");
    adopt(farthest_hop(proxies, list, &parse_address), request);
  }
  if (has_proto) {
    // Only a single value counts: nothing says which member of a list to believe.
    adopt(Hop{{}, known_scheme(joined_header(headers, "x-forwarded-proto"))}, request);
  }
  if (!has_for && !has_proto) {
    const std::string list = joined_header(headers, "forwarded");
    adopt(farthest_hop(proxies, list, &parse_element), request);
  }
}

}  // namespace bentohost::http
