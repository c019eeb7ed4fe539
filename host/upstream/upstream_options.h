// How the requests of one mount are proxied. Values.
#pragma once

#include <cstdint>
#include <string>

#include "base/clock.h"

namespace bentohost::upstream {

struct UpstreamLimits {
  std::uint32_t max_connections = 1000;  // to each server, of all loops
  std::uint32_t max_queue = 1024;        // requests that wait for a connection, of all loops
  Duration connect_timeout = std::chrono::seconds(5);
  Duration send_timeout = std::chrono::seconds(60);  // while a server reads nothing of a request
  Duration read_timeout = std::chrono::seconds(60);  // while it sends nothing of a response
  Duration tunnel_timeout = std::chrono::hours(1);   // of a WebSocket without traffic
};

struct UpstreamOptions {
  std::string name;           // for logs and messages: the mount's prefix, "/" for ""
  std::string root_path;      // "" or "/old"
  bool strips_prefix = true;  // ASGI and commands; WSGI apps get the whole path
  // Whether a server works on for a client that has left, as threads of WSGI do. The connection of
  // such a request counts among the server's until it answers: it is not free for another one.
  bool works_on = false;
  bool prefixes_cookies = false;  // Set-Cookie's Path gets the root path in front
  UpstreamLimits limits;
};

}  // namespace bentohost::upstream
