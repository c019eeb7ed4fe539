// Url: an http: or https: URL, taken apart. Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::http {

// "https://[::1]:8443/a?b#c" is TLS to ::1, port 8443, with the target /a?b.
struct Url {
  bool is_tls = false;
  std::string host;         // a name in lower case, or an IP address without brackets
  bool is_address = false;  // `host` is an IP address
  std::uint16_t port = 0;
  std::string target;  // path and query, not empty

  // INVALID_ARGUMENT says what is wrong with the URL. It is ASCII, as it goes over the wire.
  static Result<Url> parse(std::string_view text);

  // "https://[::1]:8443", always with the port: for messages, and as a key. It has none of the
  // path, where secrets may be.
  std::string origin() const;
  // For the field Host: the port only if it is not the scheme's own.
  std::string host_field() const;
};

}  // namespace bentohost::http
