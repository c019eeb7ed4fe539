#include "base/gentle.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace bentohost {
namespace {

constexpr std::uint64_t kLongTurnNs = 100'000'000;  // the longest that the kernel takes
constexpr int kNiceness = 10;                       // a tenth of the usual weight: sched(7)

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

// sched_setattr(2); glibc 2.36 has neither the function nor the struct.
struct Attributes {
  std::uint32_t size = 0, policy = 0;
  std::uint64_t flags = 0;
  std::int32_t niceness = 0;
  std::uint32_t priority = 0;
  std::uint64_t turn_ns = 0, deadline_ns = 0, period_ns = 0;
};

// From Linux 6.12 on who takes long turns is made to wait at once by who takes short ones, at no
// loss over time; before that it means nothing. 0: the usual turns.
void take_turns_of(pid_t thread, std::uint64_t nanoseconds) {
  Attributes now;
  if (::syscall(SYS_sched_getattr, thread, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER) {
    return;
  }
  now.size = sizeof now;
  now.turn_ns = nanoseconds;
  ::syscall(SYS_sched_setattr, thread, &now, 0);
}

int niceness_of(pid_t thread) {
  errno = 0;
  return ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread));
}

}  // namespace

void make_gentle(pid_t child, bool for_good) {
  take_turns_of(child, kLongTurnNs);
  const int before = niceness_of(child);
  if (errno != 0 || before >= kNiceness || !(for_good || can_return_to(before))) return;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(child), kNiceness);
}

void end_gentleness() {
  const int before = niceness_of(::getppid());
  const bool is_nicer = errno == 0 && niceness_of(0) != before;
  // On Linux it is each thread's own, and handed on to those that it starts.
  std::error_code ignored;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", ignored)) {
    const pid_t thread = std::atoi(task.path().filename().c_str());
    take_turns_of(thread, 0);
    if (is_nicer) ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), before);
  }
}

}  // namespace bentohost
