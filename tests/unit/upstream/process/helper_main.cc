// What the tests need as programs of their own: `guardian HOST` is that role of bentohost, without
// the rest of it; `host FOLDER COMMAND...` runs a command as a mounted app until it is killed.
#include <unistd.h>

#include <string>

#include "base/loop/event_loop.h"
#include "base/process/child_stdio.h"
#include "upstream/process/app_processes.h"
#include "upstream/process/guardian.h"

namespace {

using namespace bentohost;

class NoServers final : public upstream::AppServers {
 public:
  ServerId add(std::string) override { return 1; }
  void retire(ServerId, std::function<void()> drained) override { drained(); }
  void remove(ServerId) override {}
  void set_reason(std::string, Duration) override {}
  std::uint64_t served(ServerId) const override { return 0; }
};

int run_host(std::string folder, std::vector<std::string> command) {
  const SteadyClock clock;
  const auto loop = std::make_shared<EventLoop>(clock);
  loop->start();
  mount::Mount mount;
  mount.app.kind = mount::AppKind::kHttp;
  mount.app.command = std::move(command);
  mount.app.folder = folder;
  upstream::AppProcessesOptions options;
  options.exe = "/proc/self/exe";
  options.socket_parent = std::move(folder);
  upstream::AppProcesses processes(mount, std::make_shared<NoServers>(), loop, std::move(options));
  processes.start();
  while (true) ::pause();
}

}  // namespace

int main(int argc, char** argv) {
  fill_stdio();
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 2 && arguments[0] == "guardian") {
    return upstream::run_guardian(std::stoi(arguments[1]));
  }
  if (arguments.size() > 2 && arguments[0] == "host") {
    return run_host(arguments[1], {arguments.begin() + 2, arguments.end()});
  }
  return 2;
}
