#include "base/gentle.h"

#include <linux/capability.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace bentohost {
namespace {

constexpr int kNiceness = 10;  // a tenth of the usual weight: sched(7)

bool has_capability(int number) {
  std::ifstream status("/proc/self/status");
  constexpr std::string_view kName = "CapEff:";
  for (std::string line; std::getline(status, line);) {
    if (!line.starts_with(kName)) continue;
    const auto bits = std::strtoull(line.c_str() + kName.size(), nullptr, 16);
    return ((bits >> number) & 1) != 0;
  }
  return false;
}

// getrlimit(2): a niceness of n needs a limit of 20 - n.
bool can_return_to(int niceness) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NICE, &limit) == 0 &&
      limit.rlim_cur >= static_cast<rlim_t>(20 - niceness)) {
    return true;
  }
  return has_capability(CAP_SYS_NICE);
}

int niceness() {
  errno = 0;
  return ::getpriority(PRIO_PROCESS, 0);
}

}  // namespace

void be_gentle() { ::setpriority(PRIO_PROCESS, 0, kNiceness); }

GentleWhile::GentleWhile(bool is_wanted) {
  if (!is_wanted) return;
  before_ = niceness();
  if (errno != 0 || before_ >= kNiceness || !can_return_to(before_)) return;
  is_on_ = ::setpriority(PRIO_PROCESS, 0, kNiceness) == 0;
}

void GentleWhile::end() {
  if (!is_on_) return;
  is_on_ = false;
  // On Linux it is each thread's own, and handed on to those that it starts.
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    ::setpriority(PRIO_PROCESS, static_cast<id_t>(std::atoi(task.path().filename().c_str())),
                  before_);
  }
}

}  // namespace bentohost
