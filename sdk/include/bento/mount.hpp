// MountOptions: how the host runs a program that Service::mount_asgi(), mount_wsgi() or
// mount_process() mounts. Part of <bento/bento.hpp>; see <bento/service.hpp>.
//
//   svc.mount_asgi("/", "fastapi_app:app");
//   svc.mount_wsgi("/old", "flask_app:create_app()", {.environment = {{"FLASK_DEBUG", "0"}},
//                                                     .threads = 8});
//   svc.mount_process("/ui", {"node", "server.js"}, {.folder = "ui", .start_timeout = 10s});
//
// The host starts the program, with bentohost's own rights, watches it, starts it again when it
// ends, and passes requests below the prefix on to it, behind the service's middleware.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace bento {

// What serves a WSGI app: bentohost's own worker, or gunicorn with threads, which has to be
// installed for the interpreter.
enum class WsgiServer : std::uint8_t { kBento, kGunicorn };

using Seconds = std::chrono::duration<double>;

// What is left out has the host's default, which is in parentheses. Ranges are of the host: a
// duration is more than 0 and at most a day.
struct MountOptions {
  // ---- the program
  WsgiServer server = WsgiServer::kBento;  // of mount_wsgi() alone
  // Its working folder, in which Python finds its modules. A relative one is meant from the folder
  // that the plugin's library was found in, which is also the default: there bento_add_plugin(...
  // FILES ... FOLDERS ...) puts them.
  std::string folder = {};
  // Variables beside the few that every program gets (PATH, HOME, LANG, TZ): the host's own are not
  // passed on. A name is not empty and has no '='.
  std::vector<std::pair<std::string, std::string>> environment = {};
  // The Python that runs it (python3): a name in PATH, or a path, from `folder` if it is relative.
  // Not of mount_process().
  std::string interpreter = {};
  std::optional<std::uint32_t> processes = {};  // (1), 1 to 256
  std::optional<std::uint32_t> threads = {};    // (16), 1 to 1024: of each; of mount_wsgi() alone
  std::optional<Seconds> start_timeout = {};    // (30 s) until a new process answers
  std::optional<Seconds> stop_timeout = {};     // (10 s) from SIGTERM to SIGKILL
  std::string ready_path = {};                  // ("/") asked below the prefix until it is answered
  std::optional<std::uint64_t> max_memory = {};    // bytes (any); above, a process is replaced
  std::optional<std::uint32_t> max_requests = {};  // (any) after which a process is replaced

  // ---- the way to it
  std::optional<std::uint32_t> max_connections = {};  // to each process (its threads, or 1000)
  std::optional<std::uint32_t> max_queue = {};        // (1024) requests that wait for a connection
  std::optional<Seconds> connect_timeout = {};        // (5 s)
  std::optional<Seconds> send_timeout = {};           // (60 s) while it reads nothing of a request
  std::optional<Seconds> read_timeout = {};           // (60 s) while it sends nothing of a response
  std::optional<Seconds> tunnel_timeout = {};  // (1 h) of a silent WebSocket; not of mount_wsgi()
  bool prefix_cookies = false;                 // put the prefix in front of the Path of its cookies
};

}  // namespace bento
