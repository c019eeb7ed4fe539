// AppSpec: a program that the host starts, watches and proxies requests to, mounted at a prefix:
// an ASGI or WSGI app of Python, or any command that serves HTTP. A value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost::mount {

enum class AppKind : std::uint8_t {
  kAsgi,          // "asgi": uvicorn, one process each
  kWsgi,          // "wsgi": bentohost's own WSGI worker, one process each
  kWsgiGunicorn,  // "wsgi+gunicorn": gunicorn with threads, one master each
  kHttp,          // "http": any command that serves HTTP/1.1 on a Unix socket or a port
};

struct AppSpec {
  AppKind kind = AppKind::kAsgi;
  std::string app;                   // "module:attribute", or "module:factory()"; "" for kHttp
  std::vector<std::string> command;  // kHttp: the program and its arguments

  // ---- the process
  std::string folder;  // working folder, absolute: modules are found there
  // Beside the few variables that every program gets (PATH, HOME, LANG, TZ, ...): the rest of the
  // host's environment is not passed on.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string interpreter;  // "": python3 as found (see upstream/process)
  std::uint32_t processes = 1;
  std::uint32_t threads = 16;  // of each WSGI process: so many requests at once
  Duration start_timeout = std::chrono::seconds(30);  // until it answers
  Duration stop_timeout = std::chrono::seconds(10);   // from SIGTERM to SIGKILL
  std::string ready_path;          // asked until it is answered; "": the mount's own root
  std::uint64_t max_memory = 0;    // bytes (RSS) of a process, above which it is replaced; 0: none
  std::uint64_t max_requests = 0;  // after which a process is replaced; 0: none

  // ---- the proxy
  std::uint32_t max_connections = 0;  // to each process; 0: its threads for WSGI, else 1000
  std::uint32_t max_queue = 1024;     // requests that wait for a connection
  Duration connect_timeout = std::chrono::seconds(5);
  Duration send_timeout = std::chrono::seconds(60);      // while it reads nothing of a request
  Duration read_timeout = std::chrono::seconds(60);      // while it sends nothing of a response
  Duration tunnel_timeout = std::chrono::seconds(3600);  // of a WebSocket without traffic
  bool prefixes_cookies = false;  // whether Set-Cookie's Path gets the mount's prefix
};

struct Mount {
  std::string prefix;  // "" for "/", or "/old": no slash at its end
  AppSpec app;
};

std::string_view name_of(AppKind kind);  // "asgi"

}  // namespace bentohost::mount
