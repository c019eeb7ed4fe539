#include "upstream/request_head.h"

#include <algorithm>
#include <charconv>

#include "http/head_writer.h"
#include "http/syntax.h"

namespace bentohost::upstream {
namespace {

using http::equals_ignoring_case;
using http::HeadWriter;

constexpr std::string_view kCrLf = "\r\n";

// ---- the target

struct RawTarget {
  std::string_view path, query;  // the query with its '?'
};

// Without the scheme and host of an absolute form (RFC 9112 3.2.2).
RawTarget split_target(std::string_view target) {
  if (!target.starts_with('/')) {
    const std::size_t host = target.find("://");
    if (host == std::string_view::npos) return {target, {}};
    target.remove_prefix(std::min(target.find_first_of("/?", host + 3), target.size()));
  }
  const std::size_t end = std::min(target.find('?'), target.size());
  return {target.substr(0, end), target.substr(end)};
}

// Whether the raw path is the one that the host has routed by. Not so with dot segments: the app
// must not see a path that routing and middleware have not seen.
bool is_same_path(std::string_view raw, std::string_view path) {
  if (raw.find('%') == std::string_view::npos) return raw == path || (raw.empty() && path == "/");
  std::string decoded;
  return http::percent_decode(raw, decoded) && decoded == path;
}

// How much of the raw path is the prefix; npos if it does not begin with whole segments of it.
std::size_t prefix_length(std::string_view raw, std::string_view prefix) {
  std::size_t at = 0;
  for (const char c : prefix) {
    if (at == raw.size()) return std::string_view::npos;
    if (raw[at] == c && c != '%') {
      ++at;
    } else if (raw[at] == '%' && raw.size() - at >= 3 &&
               static_cast<char>(http::hex_digit(raw[at + 1]) << 4 |
                                 http::hex_digit(raw[at + 2])) == c) {
      at += 3;
    } else {
      return std::string_view::npos;
    }
  }
  return at == raw.size() || raw[at] == '/' ? at : std::string_view::npos;
}

// RFC 3986 3.3: what may stand in a path as it is.
bool is_path_char(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
         (c != '\0' && std::string_view("-._~!$&'()*+,;=:@/").find(c) != std::string_view::npos);
}

void put_encoded(std::string_view path, HeadWriter& out) {
  constexpr std::string_view kHex = "0123456789ABCDEF";
  for (const char& c : path) {
    if (is_path_char(c)) {
      out.put({&c, 1});
    } else {
      const auto byte = static_cast<unsigned char>(c);
      out.put("%").put(kHex.substr(byte >> 4, 1)).put(kHex.substr(byte & 15, 1));
    }
  }
}

void put_target(const http::Request& request, const UpstreamOptions& options, HeadWriter& out) {
  const RawTarget raw = split_target(request.target);
  if (request.path == "*") return (void)out.put("*");
  const std::string_view prefix = options.strips_prefix ? options.root_path : std::string_view();
  if (is_same_path(raw.path, request.path)) {
    const std::size_t stripped = prefix_length(raw.path, prefix);
    if (stripped != std::string_view::npos) {
      const std::string_view rest = raw.path.substr(stripped);
      out.put(rest.empty() ? "/" : rest);
      const bool is_same_query =
          raw.query.size() == request.query.size() + 1 && raw.query.ends_with(request.query);
      if (is_same_query || !request.query.empty()) out.put("?").put(request.query);
      return;
    }
  }
  std::string_view path = request.path;
  const bool has_prefix =
      path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
  if (has_prefix) path.remove_prefix(prefix.size());
  if (path.empty()) path = "/";
  put_encoded(path, out);
  if (!request.query.empty()) out.put("?").put(request.query);
}

// ---- the fields

// Fields that concern the client's connection (RFC 9110 7.6.1), that frame its body, or that the
// host writes itself. Names are in lower case.
bool is_replaced(std::string_view name) {
  switch (name.size()) {
    case 2:
      return name == "te";
    case 6:
      return name == "expect";  // the host has answered it
    case 7:
      return name == "upgrade" || name == "trailer";
    case 5:
      return name == "proxy";  // CGI's HTTP_PROXY (httpoxy)
    case 9:
      return name == "x-real-ip" || name == "forwarded";
    case 10:
      return name == "connection" || name == "keep-alive";
    case 11:
      return name == "x-forwarded";
    case 12:
      return name == "x-request-id";
    case 14:
      return name == "content-length";
    case 16:
      return name == "proxy-connection";
    case 17:
      return name == "transfer-encoding";
    case 19:
      return name == "x-bento-deadline-ms";
    default:
      return false;
  }
}

// Servers join names with '_' and names with '-' into one variable of WSGI or CGI, so that a client
// could set what it must not: SCRIPT_NAME, or X_Real_Ip.
bool is_safe_name(std::string_view name) { return name.find('_') == std::string_view::npos; }

// What the client's Connection fields name, beyond those that are dropped anyway.
std::string named_fields(const http::Headers& headers) {
  std::string named;
  for (const http::Header& header : headers) {
    if (header.name != "connection") continue;
    http::for_each_member(header.value, [&named](std::string_view option) {
      for (const std::string_view usual : {"keep-alive", "close", "upgrade", "host"}) {
        if (equals_ignoring_case(option, usual)) return;
      }
      named.append(option).append(",");
    });
  }
  return named;
}

bool is_named(std::string_view name, std::string_view named) {
  bool found = false;
  http::for_each_member(
      named, [&](std::string_view option) { found = found || equals_ignoring_case(option, name); });
  return found;
}

// The address of "127.0.0.1:51034" or "[fe80::1%eth0]:80", without port and zone; empty for "unix".
std::string_view address_of(std::string_view client) {
  if (client.starts_with('[')) {
    client.remove_prefix(1);
    return client.substr(0, client.find_first_of("%]"));
  }
  if (client.starts_with("unix")) return {};
  return client.substr(0, client.rfind(':'));
}

// The port of a Host field, or of the scheme.
std::string_view port_of(std::string_view host, bool is_secure) {
  const std::size_t colon = host.rfind(':');
  const bool has_port = colon != std::string_view::npos && colon + 1 < host.size() &&
                        host.find(']', colon) == std::string_view::npos;
  if (has_port) return host.substr(colon + 1);
  return is_secure ? "443" : "80";
}

void put_forwarded(const http::Request& request, const UpstreamOptions& options,
                   std::string_view host, bool is_websocket, HeadWriter& out) {
  const std::string_view address = address_of(request.client);
  const bool is_secure = request.scheme == "https";
  if (!address.empty()) out.field("x-forwarded-for", address).field("x-real-ip", address);
  // uvicorn takes it for the scheme of the ASGI scope, as it is.
  const bool says_ws = is_websocket && options.strips_prefix;
  out.field("x-forwarded-proto", !says_ws ? request.scheme : is_secure ? "wss" : "ws");
  out.field("x-forwarded-host", host);
  out.field("x-forwarded-port", port_of(host, is_secure));
  if (!options.root_path.empty()) out.field("x-forwarded-prefix", options.root_path);

  const bool is_v6 = address.find(':') != std::string_view::npos;
  out.put("forwarded: for=").put(is_v6 ? "\"[" : "");  // RFC 7239
  out.put(address.empty() ? "unknown" : address).put(is_v6 ? "]\"" : "");
  out.put(";host=\"").put(host).put("\";proto=").put(request.scheme).put(kCrLf);
}

}  // namespace

BodyFraming body_framing(const http::Request& request, std::optional<std::size_t> whole) {
  using Kind = BodyFraming::Kind;
  if (whole) {
    const bool has_body = *whole != 0 || http::has_header(request.headers, "content-length");
    return {has_body ? Kind::kSized : Kind::kNone, *whole};
  }
  const std::string_view given = http::find_header(request.headers, "content-length");
  std::uint64_t length = 0;
  const auto [stopped, error] = std::from_chars(given.data(), given.data() + given.size(), length);
  const bool is_known = !given.empty() && error == std::errc() &&
                        stopped == given.data() + given.size() &&
                        !http::has_header(request.headers, "transfer-encoding");
  return is_known ? BodyFraming{Kind::kSized, length} : BodyFraming{Kind::kChunked};
}

bool wants_websocket(const http::Request& request) {
  const auto has_member = [&request](std::string_view field, std::string_view member) {
    return is_named(member, http::joined_header(request.headers, field));
  };
  return http::has_header(request.headers, "upgrade") && request.method == "GET" &&
         request.version == "HTTP/1.1" && !request.is_arriving && request.body.empty() &&
         !http::has_header(request.headers, "content-length") &&
         !http::has_header(request.headers, "transfer-encoding") &&
         has_member("upgrade", "websocket") && has_member("connection", "upgrade");
}

std::string app_target(const http::Request& request, const UpstreamOptions& options) {
  std::string target;
  {
    HeadWriter out(target);
    put_target(request, options, out);
  }
  return target;
}

void append_request_head(const http::Request& request, const UpstreamOptions& options,
                         const RequestNote& note, BodyFraming framing, std::string& to) {
  HeadWriter out(to);
  out.put(request.method).put(" ");
  put_target(request, options, out);
  out.put(" HTTP/1.1\r\n");

  const bool is_websocket = wants_websocket(request);
  const std::string named = named_fields(request.headers);
  std::string_view host;
  for (const http::Header& header : request.headers) {
    const std::string_view name = header.name;
    if (name == "host") host = header.value;
    if (is_replaced(name) || name.starts_with("x-forwarded-") || !is_safe_name(name)) continue;
    if (!named.empty() && is_named(name, named)) continue;
    out.field(name, header.value);
  }
  if (host.empty() && !http::has_header(request.headers, "host")) {  // of HTTP/1.0
    host = request.server.starts_with("unix") ? "localhost" : std::string_view(request.server);
    out.field("host", host);
  }
  put_forwarded(request, options, host, is_websocket, out);
  out.field("x-request-id", note.id);
  if (note.left != Duration::max()) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(note.left).count();
    out.put("x-bento-deadline-ms: ");
    out.put(static_cast<std::uint64_t>(std::max<std::int64_t>(left, 1))).put(kCrLf);
  }
  if (is_websocket) out.put("connection: Upgrade\r\nupgrade: websocket\r\n");
  if (framing.kind == BodyFraming::Kind::kSized) {
    out.put("content-length: ").put(framing.length).put(kCrLf);
  } else if (framing.kind == BodyFraming::Kind::kChunked) {
    out.put("transfer-encoding: chunked\r\n");
  }
  out.put(kCrLf);
}

}  // namespace bentohost::upstream
