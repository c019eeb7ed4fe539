// What proxies say about the client: X-Forwarded-For, X-Forwarded-Proto and Forwarded (RFC 7239).
// Anyone can send these headers, so they count only if the peer is a trusted proxy
// (--forwarded-allow-ips, with uvicorn's and gunicorn's meaning). Pure; TrustedProxies is
// immutable, any thread.
#pragma once

#include <string_view>
#include <vector>

#include "base/status.h"
#include "http/message.h"
#include "http/parse/ip_address.h"

namespace bentohost::http {

class TrustedProxies {
 public:
  TrustedProxies() = default;  // trusts nobody

  // A comma-separated list of addresses and networks, "unix" for peers on Unix sockets, "*" for
  // everybody; an empty list trusts nobody. INVALID_ARGUMENT names the member that does not parse.
  static Result<TrustedProxies> parse(std::string_view list);

  // `peer` as in Request::client: "127.0.0.1:51034", "[fe80::1%eth0]:80"; or "unix" and "unix:...".
  bool trusts(std::string_view peer) const;
  bool trusts(const IpAddress& address) const;

 private:
  bool everybody_ = false;
  bool unix_ = false;
  std::vector<IpNetwork> networks_;
};

// Sets request.client and request.scheme, which have the connection's own values before, from the
// peer's headers, if the peer is trusted. Each request of a connection starts anew from the
// connection's own values.
//
// - Client: the lists are walked from the right, the end that trusted proxies wrote, to the first
//   address that is not trusted; if all are, to the left-most. Members further left were written by
//   strangers and are not even parsed, so that errors in them hide nobody. Without a port the
//   client gets port 0. "unknown" and obfuscated identifiers end the walk: the client is unchanged.
// - Scheme: http or https; with Forwarded, from the element where the walk ended.
// - A header that is malformed in the part that was walked changes nothing.
// - With X-Forwarded-For or X-Forwarded-Proto present, Forwarded is ignored: most proxies write
//   those and pass on a Forwarded that the client made up. A proxy that writes Forwarded must
//   remove the others.
// - Host is unchanged: Forwarded's host= and X-Forwarded-Host are ignored, since a proxy can pass
//   on the client's own Host, and few remove these.
void apply_forwarded(const TrustedProxies& proxies, Request& request);

}  // namespace bentohost::http
