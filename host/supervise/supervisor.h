// Supervisor: the process that people start, and that never loads their code: it holds the
// listening sockets and looks after the serving process, which does the work. One thread; it sleeps
// until a signal, a message or a death comes.
//
//   starting -> serving -> (dies) -> backing off -> serving ...       SIGTERM, SIGINT: stopping
//                  | SIGUSR2
//                  +-> upgrading: another one starts beside it -> ready: it takes over
//                                                              -> dies: all is as before
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "base/status.h"
#include "http/net/listener.h"
#include "http/server/server.h"
#include "supervise/resume.h"
#include "supervise/serving_process.h"

namespace bentohost::supervise {

struct SupervisorOptions {
  Program program;
  // How its stand-in answers during a crash loop; an error, and clients wait.
  std::function<Result<http::ServerOptions>()> fallback;
  // A serving process whose event loops have not turned for so long is replaced; zero: it is not.
  Duration watchdog{};
};

// Begins, or goes on where one before it has left off, serves until a signal ends it, and returns
// the exit code: that of the serving process. One that ends before it was ever ready is not started
// again. The caller's thread is the process's only one.
int supervise(SupervisorOptions options, std::vector<http::Listener> listeners,
              const std::optional<Resumed>& resumed);

}  // namespace bentohost::supervise
