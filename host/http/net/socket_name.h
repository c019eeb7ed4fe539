// The names of a socket's two ends. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "http/net/listener.h"

namespace bentohost::http {

// "127.0.0.1:51034", "[::1]:51034", "unix" for an end without a name, "unknown" for what is no
// socket.
std::string peer_name(int fd);
std::string local_name(int fd);

// Of a bound socket; a port of 0 when it has none.
std::uint16_t port_of(int fd);
Address address_of(int fd);

}  // namespace bentohost::http
