#include "upstream/process/app_processes.h"

#include "upstream/process/process_set.h"

namespace bentohost::upstream {

AppProcesses::AppProcesses(mount::Mount mount, std::shared_ptr<AppServers> servers,
                           std::shared_ptr<EventLoop> launcher, AppProcessesOptions options)
    : launcher_(std::move(launcher)),
      set_(std::make_shared<ProcessSet>(std::move(mount), std::move(servers), launcher_,
                                        std::move(options))) {}

AppProcesses::~AppProcesses() {
  launcher_->post([set = set_] { set->stop(set->loop().clock().now()); });
}

void AppProcesses::start() {
  launcher_->post([set = set_] { set->start(); });
}

Result<bool> AppProcesses::is_warm() const { return set_->summary().is_warm(); }

Status AppProcesses::readiness() const { return set_->summary().readiness(); }

Status AppProcesses::may_get_ready() const { return set_->summary().may_get_ready(); }

void AppProcesses::begin_stop(TimePoint deadline) {
  launcher_->post([set = set_, deadline] { set->stop(deadline); });
}

void AppProcesses::stop(TimePoint deadline) {
  begin_stop(deadline);
  set_->summary().wait_until_gone(deadline + ProcessSet::kLongestKill);
}

}  // namespace bentohost::upstream
