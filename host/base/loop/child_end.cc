#include "base/loop/child_end.h"

#include <poll.h>
extern "C" {  // glibc 2.36 forgot it in the header
#include <sys/pidfd.h>
}
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/loop/event_loop.h"

namespace bentohost {
namespace {

// Without a pidfd: how often reap_by() and reap_later() check.
constexpr Duration kLook = std::chrono::milliseconds(10);
constexpr Duration kLookLater = std::chrono::seconds(1);

// Without a pidfd: checks only when the loop is awake anyway, and does not wake it. Until then the
// process may stay a zombie, since nobody asks about it.
void look_later(EventLoop& loop, pid_t child) {
  struct State {
    EventLoop::TickerId ticker = 0;
    TimePoint next{};
    bool is_done = false;
  };
  const auto state = std::make_shared<State>();
  state->ticker = loop.add_ticker([&loop, child, state](TimePoint now) {
    if (state->is_done || now < state->next) return false;
    state->next = now + kLookLater;
    state->is_done = reap(child).has_value();
    if (state->is_done) {
      loop.post([&loop, ticker = state->ticker] { loop.remove_ticker(ticker); });
    }
    return false;
  });
}

}  // namespace

UniqueFd open_pidfd(pid_t child) {
  UniqueFd pidfd(::pidfd_open(child, 0));
  static std::atomic<int> said = 0;
  if (const int error = errno; !pidfd && said.exchange(error) != error) {
    log_warning("pidfd_open(2) is refused: " + std::generic_category().message(error) +
                "; the ends of child processes are noticed at the ends of their pipes instead");
  }
  return pidfd;
}

std::optional<int> reap(pid_t child) {
  int status = 0;
  while (true) {
    const pid_t found = ::waitpid(child, &status, WNOHANG);
    if (found == child) return status;
    if (found == 0) return std::nullopt;
    if (errno != EINTR) return kNoStatus;
  }
}

bool has_ended(pid_t child) {
  siginfo_t info{};
  while (::waitid(P_PID, static_cast<id_t>(child), &info, WEXITED | WNOHANG | WNOWAIT) != 0) {
    if (errno != EINTR) return true;  // reaped already, or not our child
  }
  return info.si_pid == child;
}

std::optional<int> reap_by(pid_t child, const UniqueFd& pidfd, TimePoint deadline) {
  while (true) {
    if (const auto status = reap(child)) return status;
    Duration left = deadline - std::chrono::steady_clock::now();
    if (left <= Duration::zero()) return std::nullopt;
    if (!pidfd) left = std::min(left, kLook);
    constexpr Duration kLongest = std::chrono::hours(1);
    const auto wait = std::chrono::ceil<std::chrono::milliseconds>(std::min(left, kLongest));
    pollfd fd{pidfd.get(), POLLIN, 0};
    ::poll(&fd, 1, static_cast<int>(wait.count()));
  }
}

void reap_later(EventLoop& loop, pid_t child, UniqueFd pidfd) {
  if (child <= 0 || reap(child).has_value()) return;
  if (!pidfd) return look_later(loop, child);
  const int fd = pidfd.get();
  const auto held = std::make_shared<UniqueFd>(std::move(pidfd));
  const Status status = loop.watch(fd, EPOLLIN, [&loop, child, held](std::uint32_t) {
    // While a debugger traces the child, the pidfd is readable before we can reap the child.
    if (!reap(child).has_value()) look_later(loop, child);
    loop.unwatch(held->get());
  });
  if (!status.ok()) look_later(loop, child);
}

}  // namespace bentohost
