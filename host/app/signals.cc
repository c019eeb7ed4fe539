#include "app/signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <semaphore>
#include <thread>
#include <utility>

#include "base/exits.h"
#include "base/log.h"

namespace bentohost::app {
namespace {

// Queued, each with its number, unlike other signals, of which two may become one.
int request_carrier() { return SIGRTMIN; }

bool is_supervised = false;
// The end began with a SIGTERM to this process, perhaps to its whole group: then the supervisor's
// first request is the same one.
std::atomic<bool> begun_directly = false;

// Those that end a process that is about to end, or that has not begun.
sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  if (is_supervised) {
    sigaddset(&set, request_carrier());
  } else {
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
  }
  return set;
}

sigset_t first_stop_signals() {
  sigset_t set = stop_signals();
  sigaddset(&set, SIGTERM);
  return set;
}

int number_of(const siginfo_t& info) {
  return info.si_signo == request_carrier() ? info.si_value.sival_int : info.si_signo;
}

timespec to_timespec(Duration duration) {
  const auto whole = std::chrono::duration_cast<std::chrono::seconds>(duration);
  return {static_cast<time_t>(whole.count()), static_cast<long>((duration - whole).count())};
}

// The next of them within `longest`, or 0. Duration::max() waits for one.
int take_signal(const sigset_t& set, Duration longest, siginfo_t& info) {
  int number = 0;
  if (longest == Duration::max()) {
    do {
      number = ::sigwaitinfo(&set, &info);
    } while (number < 0);
  } else {
    const timespec timeout = to_timespec(longest);
    number = ::sigtimedwait(&set, &info, &timeout);
  }
  return number > 0 ? number_of(info) : 0;
}

// The thread of prepare_exit() waits for this.
struct ExitWatch {
  std::binary_semaphore armed{0};
  Duration at_latest{};
};
ExitWatch& exit_watch() {
  static auto* const the_one = new ExitWatch;  // the thread may outlive static destructors
  return *the_one;
}

// Waits for the end, whatever else comes.
[[noreturn]] void exit_on(const sigset_t& set) {
  siginfo_t info{};
  end_process(128 + take_signal(set, Duration::max(), info));
}

}  // namespace

void block_signals(bool supervised) {
  is_supervised = supervised;
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, request_carrier()}) sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGUSR2, SIG_IGN);  // for the supervisor
  // Whoever started us may ignore it, and then the kernel reaps our children before we hear how
  // they ended.
  ::signal(SIGCHLD, SIG_DFL);
}

void request_signal(int number) {
  sigval value{};
  value.sival_int = number;
  ::sigqueue(::getpid(), request_carrier(), value);
}

int wait_for_signal(Duration longest) {
  sigset_t set = first_stop_signals();
  sigaddset(&set, SIGHUP);
  siginfo_t info{};
  const int number = take_signal(set, longest, info);
  if (is_supervised && info.si_signo == SIGTERM) begun_directly = true;
  return number;
}

ExitOnSignal::ExitOnSignal() : over_(::eventfd(0, EFD_CLOEXEC)) {
  if (!over_) return;
  watcher_ = std::thread([over = over_.get()] {
    const sigset_t set = first_stop_signals();
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

void prepare_exit() {
  std::thread([] {
    exit_watch().armed.acquire();
    const Duration at_latest = exit_watch().at_latest;
    const sigset_t set = stop_signals();
    const SteadyClock clock;
    const TimePoint end = clock.now() + at_latest;
    bool is_the_same = begun_directly;
    while (clock.now() < end) {
      siginfo_t info{};
      const int number = take_signal(set, end - clock.now(), info);
      if (number != 0 && !std::exchange(is_the_same, false)) end_process(128 + number);
    }
    log_error("a plugin's on_shutdown or destroy does not return; ending without it");
    end_process(1);
  }).detach();
}

void exit_on_next_signal(Duration at_latest) {
  exit_watch().at_latest = at_latest;
  exit_watch().armed.release();
}

}  // namespace bentohost::app
