// AppProcesses: the processes of one mounted app. Starts them, tells the proxy which of them serve,
// replaces those that die, use too much memory or have served enough, and ends them.
//
// The first start is special: an app that does not come up then is not tried again, since most
// likely somebody must correct something. Later, one that dies or fails is started again, in
// growing intervals (restart_policy.h), and the mount is down with a reason meanwhile.
//
// Everything happens on the thread of `launcher`, which may be slow: processes are started there.
// The functions below may be called on any thread.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "mount/app_spec.h"
#include "upstream/process/app_servers.h"
#include "upstream/process/command.h"

namespace bentohost::upstream {

struct AppProcessesOptions {
  std::string exe;                       // a program with the role "guardian": own_program()
  Variables extra_environment;           // for all apps of the host
  std::vector<std::string> python_path;  // folders of bento_wsgi and bento_runner
  std::string socket_parent;             // as for SocketFolder::create()
  // Called on the launcher's thread when a process is started in place of another one; may be
  // empty. The reason: the other one has died ("exit_1", "SIGKILL"), could not be started
  // ("no_start", "start_timeout"), or was recycled ("memory", "requests").
  std::function<void(std::string_view reason)> restarted;
};

class ProcessSet;

class AppProcesses {
 public:
  // The launcher's thread must live as long as the host.
  AppProcesses(mount::Mount mount, std::shared_ptr<AppServers> servers,
               std::shared_ptr<EventLoop> launcher, AppProcessesOptions options);
  ~AppProcesses();  // as stop() with a deadline that has passed, but does not wait
  AppProcesses(const AppProcesses&) = delete;
  AppProcesses& operator=(const AppProcesses&) = delete;

  void start();

  // True when all processes serve, false during the first start. If one has ended instead, an error
  // that says why.
  Result<bool> is_warm() const;
  // OK when a process serves; otherwise UNAVAILABLE with the reason.
  Status readiness() const;
  // Before is_warm() was true: an error if it will never be, with the last lines that the app has
  // printed. Afterwards always OK.
  Status may_get_ready() const;

  // [any] As stop(), but does not wait.
  void begin_stop(TimePoint deadline);
  // [any, not the launcher's] No new requests; each process gets SIGTERM when its last request has
  // ended, or its stop_timeout before the deadline, and SIGKILL at the deadline. Returns when
  // nothing is left of them, or one second after the deadline.
  void stop(TimePoint deadline);

 private:
  const std::shared_ptr<EventLoop> launcher_;
  const std::shared_ptr<ProcessSet> set_;
};

}  // namespace bentohost::upstream
