#include "app/signals.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <semaphore>
#include <system_error>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/process/exits.h"
#include "base/process/host_thread.h"
#include "base/process/signal_handlers.h"

namespace bentohost::app {
namespace {

constexpr int kExitBySignal = 128;

// Signals are queued in a pipe: a byte for each, its number, with this bit set if the supervisor
// requested it.
constexpr unsigned char kRequested = 0x80;
// The ends of the pipe. Never closed: signals, and threads that wait for them, may come after
// static destructors.
int reading = -1, writing = -1;

bool is_supervised = false;
// The end began with a SIGTERM to this process, perhaps to its whole process group: the first
// request of the supervisor is then the same signal.
std::atomic<bool> begun_directly = false;
// Signals that came while nobody waited for them; 0: no stop signal.
std::atomic<bool> hang_up_is_due = false;
std::atomic<int> stop_is_due = 0;

struct Arrival {
  int number = 0;  // 0: none
  bool is_requested = false;

  // Whether it ends the process, which has or has not begun to end.
  bool ends(bool has_begun_to_end) const {
    if (is_requested) return true;
    if (is_supervised) return number == SIGTERM && !has_begun_to_end;
    return number == SIGTERM || number == SIGINT;
  }
};

// [signal handler] A full pipe holds enough signals: the write may fail.
void write_down(unsigned char byte) {
  [[maybe_unused]] const ssize_t n = ::write(writing, &byte, 1);
}

Arrival read_one() {
  unsigned char byte = 0;
  if (::read(reading, &byte, 1) != 1) return {};
  return {byte & ~kRequested, (byte & kRequested) != 0};
}

// The process's end begins with this signal.
void note_first(const Arrival& arrival) {
  if (is_supervised && !arrival.is_requested) begun_directly = true;
}

// Whether a signal that comes while the process ends is a second one that ends it.
bool is_second(const Arrival& arrival) {
  return arrival.ends(true) && !begun_directly.exchange(false);
}

// For poll(2).
int timeout_ms(const Clock& clock, TimePoint end) {
  if (end == kNoDeadline) return -1;
  const Duration left = std::max(end - clock.now(), Duration::zero());
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

// The next signal within `longest`; Duration::max() waits for one.
Arrival take_one(Duration longest) {
  const SteadyClock clock;
  const TimePoint end = longest == Duration::max() ? kNoDeadline : clock.now() + longest;
  while (true) {
    if (const Arrival arrival = read_one(); arrival.number != 0) return arrival;
    if (clock.now() >= end) return {};
    pollfd fd{reading, POLLIN, 0};
    ::poll(&fd, 1, timeout_ms(clock, end));
  }
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

}  // namespace

void take_signals(bool supervised) {
  is_supervised = supervised;
  int ends[2] = {-1, -1};
  if (::pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) {
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe for signals");
  }
  reading = ends[0];
  writing = ends[1];
  // Our parent may have ignored SIGCHLD: then the kernel would reap our children before us.
  ::signal(SIGCHLD, SIG_DFL);
  retake_signals();
  unblock_signals();
}

void retake_signals() {
  handle_signals({SIGTERM, SIGINT, SIGHUP},
                 [](int number) { write_down(static_cast<unsigned char>(number)); });
  make_harmless({SIGPIPE, SIGUSR2});  // SIGUSR2 is for the supervisor
}

void request_signal(int number) {
  write_down(static_cast<unsigned char>(static_cast<unsigned char>(number) | kRequested));
}

int wait_for_signal(Duration longest) {
  if (const int number = stop_is_due.exchange(0); number != 0) return number;
  if (hang_up_is_due.exchange(false)) return SIGHUP;
  const SteadyClock clock;
  const TimePoint end = longest == Duration::max() ? kNoDeadline : clock.now() + longest;
  while (true) {
    const Arrival arrival =
        take_one(end == kNoDeadline ? longest : std::max(end - clock.now(), Duration::zero()));
    if (arrival.number == 0 || arrival.number == SIGHUP) return arrival.number;
    if (!arrival.ends(false)) continue;
    note_first(arrival);
    return arrival.number;
  }
}

ExitOnSignal::ExitOnSignal(Duration grace) : over_(::eventfd(0, EFD_CLOEXEC)) {
  if (!over_) return;
  watcher_ = start_host_thread("signals", [over = over_.get(), grace] {
    const SteadyClock clock;
    TimePoint end = kNoDeadline;
    while (true) {
      pollfd fds[] = {{over, POLLIN, 0}, {reading, POLLIN, 0}};
      ::poll(fds, 2, timeout_ms(clock, end));
      for (Arrival arrival = read_one(); arrival.number != 0; arrival = read_one()) {
        if (arrival.number == SIGHUP) {
          hang_up_is_due = true;
        } else if (end != kNoDeadline) {
          if (is_second(arrival)) end_process(kExitBySignal + arrival.number);
        } else if (arrival.ends(false)) {
          if (grace == Duration::zero()) end_process(kExitBySignal + arrival.number);
          note_first(arrival);
          stop_is_due = arrival.number;
          end = clock.now() + grace;
        }
      }
      if (fds[0].revents != 0) return;
      if (clock.now() >= end) {
        log_error("a plugin's on_ready does not return; ending without it");
        end_process(kExitBySignal + stop_is_due);
      }
    }
  });
}

ExitOnSignal::~ExitOnSignal() {
  if (!watcher_.joinable()) return;
  ::eventfd_write(over_.get(), 1);
  watcher_.join();
}

void prepare_exit() {
  start_host_thread("exit-watch", [] {
    exit_watch().armed.acquire();
    const Duration at_latest = exit_watch().at_latest;
    const SteadyClock clock;
    const TimePoint end = clock.now() + at_latest;
    while (clock.now() < end) {
      const Arrival arrival = take_one(end - clock.now());
      if (arrival.number != 0 && is_second(arrival)) end_process(kExitBySignal + arrival.number);
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
