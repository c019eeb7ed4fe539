// Opening the listening socket, with errors that name the address, the reason and the way out.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::http {

// `host` is a name or an address of either family; the first of its addresses that works is taken.
// SO_REUSEADDR, so that a restart does not wait for old connections; no SO_REUSEPORT, so that a
// second server on the same port is an error: UNAVAILABLE.
Result<UniqueFd> listen_on(const std::string& host, std::uint16_t port);

// The port that `listener` got.
std::uint16_t local_port(const UniqueFd& listener);

// "127.0.0.1:3000", "[::1]:3000".
std::string authority(const std::string& host, std::uint16_t port);

}  // namespace bentohost::http
