#include "app/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/log.h"

namespace bentohost::app {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

sigset_t all_signals() {
  sigset_t set = stop_signals();
  sigaddset(&set, SIGHUP);
  return set;
}

// Waits for the end, whatever else comes.
[[noreturn]] void exit_on(const sigset_t& set) {
  int number = 0;
  while (::sigwait(&set, &number) != 0) {
  }
  ::_exit(128 + number);
}

}  // namespace

void block_signals() {
  const sigset_t set = all_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  // Whoever started us may ignore it, and then the kernel reaps our children before we hear how
  // they ended.
  ::signal(SIGCHLD, SIG_DFL);
}

int wait_for_signal(Duration longest) {
  const sigset_t set = all_signals();
  if (longest == Duration::max()) {
    int number = 0;
    while (::sigwait(&set, &number) != 0) {
    }
    return number;
  }
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(longest);
  const timespec timeout{static_cast<time_t>(whole.count()),
                         static_cast<long>((longest - whole).count())};
  const int number = ::sigtimedwait(&set, nullptr, &timeout);
  return number > 0 ? number : 0;
}

ExitOnSignal::ExitOnSignal() : over_(::eventfd(0, EFD_CLOEXEC)) {
  if (!over_) return;
  watcher_ = std::thread([over = over_.get()] {
    const sigset_t set = stop_signals();
    const UniqueFd signals(::signalfd(-1, &set, SFD_CLOEXEC));
    pollfd fds[] = {{over, POLLIN, 0}, {signals.get(), POLLIN, 0}};
    while (::poll(fds, 2, -1) < 0) {
    }
    if (fds[1].revents != 0) exit_on(set);
  });
}

ExitOnSignal::~ExitOnSignal() {
  if (!watcher_.joinable()) return;
  ::eventfd_write(over_.get(), 1);
  watcher_.join();
}

void exit_on_next_signal(Duration at_latest) {
  std::thread([at_latest] {
    const sigset_t set = stop_signals();
    const auto whole = std::chrono::duration_cast<std::chrono::seconds>(at_latest);
    const timespec timeout{static_cast<time_t>(whole.count()),
                           static_cast<long>((at_latest - whole).count())};
    int number = 0;
    do {
      number = ::sigtimedwait(&set, nullptr, &timeout);
    } while (number < 0 && errno == EINTR);
    if (number > 0) ::_exit(128 + number);
    log_error("a plugin's on_shutdown or destroy does not return; ending without it");
    ::_exit(1);
  }).detach();
}

}  // namespace bentohost::app
