// Supervisor: the process that people start, which never loads plugins: it holds the listening
// sockets and looks after the serving process, which does the work. One thread; it sleeps until a
// signal, a message or a death comes.
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
  // The options of the fallback server in a crash loop. If this fails, clients wait instead.
  std::function<Result<http::ServerOptions>()> fallback;
  // A serving process whose event loops have not turned for this long is replaced; zero: never.
  Duration watchdog{};
};

// Starts a serving process, or goes on from `resumed`, runs until a signal ends it, and returns the
// exit code of the serving process. If the first serving process ends before it is ready, it is not
// started again. The caller's thread must be the only one of the process.
int supervise(SupervisorOptions options, std::vector<http::Listener> listeners,
              const std::optional<Resumed>& resumed);

}  // namespace bentohost::supervise
