#include "supervise/supervisor_client.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "base/process/crash_report.h"
#include "base/process/exits.h"
#include "base/process/host_thread.h"
#include "supervise/notify.h"
#include "supervise/sockets.h"

namespace bentohost::supervise {
namespace {

// How long requests may still take after the supervisor's end; we exit within a second of it.
constexpr Duration kOrphanGrace = std::chrono::milliseconds(600);
constexpr int kExitOrphaned = 1;

// For the signal handler; -1: there is no supervisor to tell.
std::atomic<int> crash_fd = -1;

}  // namespace

// Shared with its thread, which is detached and may outlive the client.
struct SupervisorClient::Thread {
  Control control;  // without a descriptor: tell systemd instead
  Duration beat{};
  std::vector<int> sockets;
  std::vector<std::string> files;
  std::function<void(int)> request;
  UniqueFd wake{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  Mutex mutex;
  struct Watched {
    std::shared_ptr<EventLoop> loop;
    std::atomic<bool> is_due = false;  // the loop has not turned since it was asked
    std::atomic<pid_t> thread = 0;     // known once the loop has turned
  };
  std::deque<Watched> loops BENTO_GUARDED_BY(mutex);  // its elements stay where they are
  TimePoint next_beat = kNoDeadline;

  void run();
  void take_messages();
  void ask_loops();
  bool has_a_hung_loop();
  void end_the_hung();
  void outlive_supervisor();
};

void SupervisorClient::Thread::run() {
  const SteadyClock clock;
  while (true) {
    int timeout = -1;
    if (next_beat != kNoDeadline) {
      const Duration wait = std::max(next_beat - clock.now(), Duration::zero());
      timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
    }
    pollfd fds[] = {{wake.get(), POLLIN, 0}, {control.fd(), POLLIN, 0}};
    ::poll(fds, 2, timeout);
    if (fds[0].revents != 0) {  // there are new loops to watch
      std::uint64_t count = 0;
      [[maybe_unused]] const ssize_t n = ::read(wake.get(), &count, sizeof count);
      ask_loops();
      next_beat = clock.now() + beat;
    }
    if (fds[1].revents != 0) take_messages();
    if (clock.now() < next_beat) continue;
    next_beat = clock.now() + beat;
    if (has_a_hung_loop()) continue;  // send no beat
    if (control.fd() >= 0) {
      control.send("beat");
    } else {
      notify("WATCHDOG=1");
    }
    ask_loops();
  }
}

void SupervisorClient::Thread::ask_loops() {
  const MutexLock lock(mutex);
  for (Watched& each : loops) {
    each.is_due = true;
    each.loop->post([&each] {
      each.thread = ::gettid();
      each.is_due = false;
    });
  }
}

bool SupervisorClient::Thread::has_a_hung_loop() {
  const MutexLock lock(mutex);
  return std::any_of(loops.begin(), loops.end(),
                     [](const Watched& each) { return each.is_due.load(); });
}

// The first hung thread ends the process, with a report of where it hangs.
void SupervisorClient::Thread::end_the_hung() {
  pid_t hung = 0;
  {
    const MutexLock lock(mutex);
    for (const Watched& each : loops) {
      if (each.is_due && hung == 0) hung = each.thread;
    }
  }
  if (hung != 0) {
    end_for_hanging(hung);
  } else {
    control.send("beat");  // all loops have turned meanwhile
  }
}

void SupervisorClient::Thread::take_messages() {
  while (const auto message = control.receive()) {
    if (*message == "hand_over") request(kHandOver);
    if (*message == "hang") end_the_hung();
    if (!message->starts_with("stop ")) continue;
    int number = 0;
    std::from_chars(message->data() + 5, message->data() + message->size(), number);
    if (number == SIGTERM || number == SIGINT) request(number);
  }
  if (control.has_ended()) outlive_supervisor();
}

void SupervisorClient::Thread::outlive_supervisor() {
  // First release the sockets and files that a restart would collide with, systemd's own excepted.
  for (const std::string& file : files) ::unlink(file.c_str());
  for (const int fd : sockets) ::shutdown(fd, SHUT_RDWR);
  log_error("the supervisor is gone; ending");
  request(SIGTERM);
  std::this_thread::sleep_for(kOrphanGrace);
  end_process(kExitOrphaned);
}

SupervisorClient::SupervisorClient() {
  const char* const text = std::getenv("BENTOHOST_SERVING");
  const auto orders = text == nullptr ? std::nullopt : parse_orders(text);
  ::unsetenv("BENTOHOST_SERVING");
  if (orders && orders->supervisor == ::getppid()) {
    orders_ = *orders;
    ::fcntl(orders_.control, F_SETFD, FD_CLOEXEC);
    control_ = Control(UniqueFd(orders_.control));
    beat_ = orders_.beat;
    crash_fd = control_.fd();
  } else if (const auto watchdog = watchdog_interval()) {
    beat_ = *watchdog / 2;
  }
}

SupervisorClient::~SupervisorClient() {
  if (is_supervisor()) crash_fd = -1;
}

void SupervisorClient::crashing(int signal) {
  const int fd = crash_fd.load();
  if (fd < 0 || signal < 0 || signal > 99) return;
  const char message[] = {'c',
                          'r',
                          'a',
                          's',
                          'h',
                          'i',
                          'n',
                          'g',
                          ' ',
                          static_cast<char>('0' + signal / 10),
                          static_cast<char>('0' + signal % 10)};
  [[maybe_unused]] const ssize_t n =
      ::send(fd, message, sizeof message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

Result<std::vector<http::Listener>> SupervisorClient::take_listeners() {
  auto listeners = take_sockets();
  if (!listeners.ok()) return listeners;
  for (const http::Listener& each : *listeners) {
    if (each.inherited) continue;
    sockets_.push_back(each.fd.get());
    if (!each.address.path.empty()) files_.push_back(each.address.path);
  }
  return listeners;
}

void SupervisorClient::start(std::function<void(int)> request) {
  if (!is_supervisor() && beat_ == Duration::zero()) return;
  thread_ = std::make_shared<Thread>();
  if (is_supervisor())
    thread_->control = Control(UniqueFd(::fcntl(control_.fd(), F_DUPFD_CLOEXEC, 3)));
  thread_->beat = beat_;
  thread_->sockets = sockets_;
  thread_->files = files_;
  thread_->request = std::move(request);
  start_host_thread("supervisor", [thread = thread_] { thread->run(); }).detach();
}

void SupervisorClient::watch(const Loops& loops) {
  if (thread_ == nullptr || beat_ == Duration::zero()) return;
  {
    const MutexLock lock(thread_->mutex);
    for (const auto& loop : loops) thread_->loops.emplace_back().loop = loop;
  }
  ::eventfd_write(thread_->wake.get(), 1);
}

void SupervisorClient::ready(std::string_view status) {
  if (is_supervisor()) {
    control_.send("ready " + std::string(status));
  } else {
    notify_ready(status);
  }
}

void SupervisorClient::stopping() {
  if (!is_supervisor()) notify("STOPPING=1\nSTATUS=stopping");
}

}  // namespace bentohost::supervise
