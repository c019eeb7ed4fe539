// The names of a socket's two ends. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "http/net/listener.h"

namespace bentohost::http {

// "127.0.0.1:51034", "[::1]:51034", "unix" for a Unix socket's end without a name, "unknown" if
// `fd` is not a socket.
std::string peer_name(int fd);
std::string local_name(int fd);

// For a bound socket; the port is 0 if it has none.
std::uint16_t port_of(int fd);
Address address_of(int fd);

}  // namespace bentohost::http
