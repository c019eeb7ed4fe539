// What proxies tell of the client: X-Forwarded-For, X-Forwarded-Proto and Forwarded (RFC 7239).
// Anyone can send these, so they count only when the peer is a trusted proxy
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
  TrustedProxies() = default;  // nobody

  // Addresses and networks with commas between, "unix" for the peers of Unix sockets, "*" for
  // everybody; empty for nobody. INVALID_ARGUMENT names the member that is none of these.
  static Result<TrustedProxies> parse(std::string_view list);

  // `peer` as in Request::client: "127.0.0.1:51034", "[fe80::1%eth0]:80"; or "unix" and "unix:...".
  bool trusts(std::string_view peer) const;
  bool trusts(const IpAddress& address) const;

 private:
  bool everybody_ = false;
  bool unix_ = false;
  std::vector<IpNetwork> networks_;
};

// Sets request.client and request.scheme, both of which are the connection's own before, to what
// the peer's headers say, if it is trusted. Each request of a connection starts anew from the
// connection's own.
//
// - Client: the lists are walked from the right, which trusted proxies wrote, to the first address
//   that is not itself trusted; when all are, it is the left-most. What stands further left was
//   written by strangers and is not even looked at, so that its defects hide nobody. Without a port
//   the client gets port 0. "unknown" and obfuscated identifiers end the walk: the client stays.
// - Scheme: http or https; of Forwarded, what the element where the walk ended says.
// - A header that is malformed as far as it is walked changes nothing.
// - With X-Forwarded-For or X-Forwarded-Proto present, Forwarded is ignored: most proxies write
//   those and pass a Forwarded that the client made up. A proxy that writes Forwarded has to remove
//   the others.
// - Host stays what it is: Forwarded's host= and X-Forwarded-Host are ignored, since a proxy can
//   pass the client's own Host on, and few remove these.
void apply_forwarded(const TrustedProxies& proxies, Request& request);

}  // namespace bentohost::http
