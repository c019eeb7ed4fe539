#include "base/process/low_priority.h"

#include <linux/capability.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace bentohost {
namespace {

constexpr std::uint64_t kLongTurnNs = 100'000'000;  // the longest slice that the kernel accepts
constexpr std::int32_t kNiceness = 10;              // a tenth of the usual weight: sched(7)

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

bool get(pid_t thread, Attributes& attributes) {
  return ::syscall(SYS_sched_getattr, thread, &attributes, sizeof attributes, 0) == 0;
}

void set(pid_t thread, Attributes attributes) {
  attributes.size = sizeof attributes;
  ::syscall(SYS_sched_setattr, thread, &attributes, 0);
}

// On Linux each thread has its own scheduling attributes, which threads that it starts inherit.
template <typename F>
void for_each_thread(pid_t process, F&& f) {
  std::error_code ignored;
  const std::string folder = "/proc/" + std::to_string(process) + "/task";
  for (const auto& task : std::filesystem::directory_iterator(folder, ignored)) {
    const pid_t thread = std::atoi(task.path().filename().c_str());
    if (Attributes now; get(thread, now)) f(thread, now);
  }
}

// Whether we made it so, rather than its plugin. Before Linux 6.12 the time slice cannot be read.
bool is_low_priority(const Attributes& now) {
  return now.policy == SCHED_IDLE ||
         (now.policy == SCHED_OTHER && (now.turn_ns == kLongTurnNs || now.niceness == kNiceness));
}

}  // namespace

void lower_priority(pid_t child, bool for_good) {
  Attributes now;
  if (!get(child, now) || now.policy != SCHED_OTHER) return;
  if (can_return_to(now.niceness)) {
    now.policy = SCHED_IDLE;
  } else {
    now.turn_ns = kLongTurnNs;
    if (for_good) now.niceness = std::max(now.niceness, kNiceness);
  }
  set(child, now);
}

void relax_priority(pid_t child) {
  for_each_thread(child, [](pid_t thread, Attributes now) {
    if (now.policy != SCHED_IDLE) return;
    now.policy = SCHED_OTHER;
    now.niceness = std::max(now.niceness, kNiceness);
    now.turn_ns = kLongTurnNs;
    set(thread, now);
  });
}

void restore_priority(pid_t child) {
  Attributes ours;
  if (!get(0, ours)) return;
  for_each_thread(child, [&](pid_t thread, Attributes now) {
    if (!is_low_priority(now)) return;
    now.policy = SCHED_OTHER;
    now.niceness = ours.niceness;
    now.turn_ns = 0;
    set(thread, now);
  });
}

}  // namespace bentohost
