#include "supervise/orphans.h"

#include <sys/prctl.h>
#include <sys/wait.h>

namespace bentohost::supervise {
namespace {

constexpr int kAtOnce = 256;

}  // namespace

void take_in_orphans() { ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); }

bool reap_orphans(const std::function<bool(pid_t)>& is_ours) {
  for (int i = 0; i < kAtOnce; ++i) {
    siginfo_t ended{};
    // Look first, without reaping. A child of ours hides the orphans behind it: the caller reaps
    // that child and calls again.
    if (::waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) != 0) return true;
    if (ended.si_pid == 0 || is_ours(ended.si_pid)) return true;
    ::waitpid(ended.si_pid, nullptr, WNOHANG);
  }
  return false;
}

}  // namespace bentohost::supervise
