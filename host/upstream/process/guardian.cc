#include "upstream/process/guardian.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/process/child_stdio.h"
#include "base/process/clean_pages.h"
#include "base/unique_fd.h"
#include "upstream/process/process_tree.h"
#include "upstream/process/start_message.h"

namespace bentohost::upstream {
namespace {

using std::chrono::steady_clock;

// Sent by the kernel when the thread that started this process has ended. It is blocked, and read
// from a descriptor.
constexpr int kParentEnded = SIGUSR1;

bool read_all(int fd, char* to, std::size_t size) {
  while (size > 0) {
    const ssize_t got = ::read(fd, to, size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    to += got;
    size -= static_cast<std::size_t>(got);
  }
  return true;
}

Result<StartMessage> read_start_message(int fd) {
  std::uint32_t size = 0;
  std::string bytes;
  if (read_all(fd, reinterpret_cast<char*>(&size), sizeof size)) {
    bytes.resize(size);
    if (read_all(fd, bytes.data(), size)) return decode_start_message(bytes);
  }
  return Status(BENTO_CANCELLED, "the host ended before it had said what to start");
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

class Guardian {
 public:
  Guardian(pid_t host, ChildPipes pipes, UniqueFd signals, StartMessage message)
      : host_(host),
        in_(std::move(pipes.in)),
        out_(std::move(pipes.out)),
        signals_(std::move(signals)),
        message_(std::move(message)) {}

  void run() {
    if (!start()) return;
    drop_clean_pages();
    while (!is_done()) {
      turn();
      wait();
      read_commands();
      read_signals();
    }
  }

  // Nothing is left.
  void finish() {
    if (!message_.socket.empty()) {
      ::unlink(message_.socket.c_str());
      if (is_host_gone_) ::rmdir(message_.socket.substr(0, message_.socket.rfind('/')).c_str());
    }
    say(std::string(kGoneLine));
  }

 private:
  bool start();
  [[noreturn]] void become_app(int failed_pipe, pid_t guardian, const rlimit* limit);

  void say(const std::string& line) const {
    const std::string text = line + "\n";
    [[maybe_unused]] const ssize_t sent = ::write(out_.get(), text.data(), text.size());
  }

  // Reaps, and takes the next step of the end if it is time.
  void turn() {
    reap();
    const TimePoint now = steady_clock::now();
    if (is_ending_ && !is_group_gone_ && ::kill(-app_, 0) != 0 && errno == ESRCH) {
      is_group_gone_ = true;
      // What has left the group does not know yet that this is the end.
      signal_descendants(SIGTERM);
      kill_at_ = std::min(kill_at_, now + kShortGrace);
    }
    if (is_ending_ && now >= kill_at_) {
      if (!is_group_gone_) ::kill(-app_, SIGKILL);
      signal_descendants(SIGKILL);
      // A process that hangs in the kernel dies later; new ones may have been forked meanwhile.
      kill_at_ = now + kill_interval_;
      kill_interval_ = std::min<Duration>(kill_interval_ * 2, std::chrono::seconds(1));
    }
  }

  void reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != app_) continue;
      has_app_ended_ = true;
      say(std::string(kEndedLine) + std::to_string(status));
      if (!is_ending_) end_within(kShortGrace);
    }
    // Nothing can be below us that has no ancestor among our children.
    has_children_ = pid == 0;
  }

  bool is_done() const { return has_app_ended_ && !has_children_; }

  void end_within(Duration grace) {
    kill_at_ = std::min(kill_at_, steady_clock::now() + grace);
    if (std::exchange(is_ending_, true)) return;
    ::kill(-app_, SIGTERM);
    ::kill(-app_, SIGCONT);  // a stopped process would not notice
  }

  void on_host_gone() {
    is_host_gone_ = true;
    end_within(std::min(message_.grace, kShortGrace));
  }

  static void signal_descendants(int number) {
    for (const ProcessInfo& process : descendants_of(::getpid())) ::kill(process.pid, number);
  }

  void wait() {
    if (is_done()) return;
    int timeout = -1;
    if (is_ending_) {
      // The end of a group whose leader has ended is not signalled: look for it.
      constexpr Duration kLook = std::chrono::milliseconds(20);
      Duration left = std::max<Duration>(kill_at_ - steady_clock::now(), Duration::zero());
      if (!is_group_gone_) left = std::min(left, kLook);
      timeout = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
    }
    pollfd fds[] = {{signals_.get(), POLLIN, 0}, {is_host_gone_ ? -1 : in_.get(), POLLIN, 0}};
    ::poll(fds, 2, timeout);
    has_command_ = fds[1].revents != 0;
  }

  void read_commands() {
    if (!std::exchange(has_command_, false)) return;
    char commands[64];
    const ssize_t size = ::read(in_.get(), commands, sizeof commands);
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (size <= 0) return on_host_gone();
    for (const char command : std::string_view(commands, static_cast<std::size_t>(size))) {
      end_within(command == kKillCommand ? Duration::zero() : message_.grace);
    }
  }

  void read_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
    }
    if (!is_host_gone_ && ::getppid() != host_) on_host_gone();
  }

  const pid_t host_;
  const UniqueFd in_, out_, signals_;
  StartMessage message_;
  pid_t app_ = -1;
  bool has_app_ended_ = false, has_children_ = true, has_command_ = false;
  bool is_ending_ = false, is_group_gone_ = false, is_host_gone_ = false;
  TimePoint kill_at_ = kNoDeadline;
  Duration kill_interval_ = std::chrono::milliseconds(5);
};

bool Guardian::start() {
  int failed[2];
  if (::pipe2(failed, O_CLOEXEC) != 0) {
    say(std::string(kFailedLine) + "no pipe: " + std::strerror(errno));
    return false;
  }
  const UniqueFd failed_in(failed[0]);
  UniqueFd failed_out(failed[1]);
  rlimit limit{};  // launch() has lowered ours
  const bool has_limit = ::prlimit(host_, RLIMIT_NOFILE, nullptr, &limit) == 0;
  const pid_t guardian = ::getpid();
  app_ = ::fork();
  if (app_ == 0) become_app(failed_out.get(), guardian, has_limit ? &limit : nullptr);
  if (app_ < 0) {
    say(std::string(kFailedLine) + "cannot start a process: " + std::strerror(errno));
    return false;
  }
  ::setpgid(app_, app_);
  failed_out.reset();
  char why[512];
  const ssize_t size = ::read(failed_in.get(), why, sizeof why);
  if (size > 0) {
    ::waitpid(app_, nullptr, 0);
    say(std::string(kFailedLine) + std::string(why, static_cast<std::size_t>(size)));
    return false;
  }
  say(std::string(kStartedLine) + std::to_string(app_));
  return true;
}

void Guardian::become_app(int failed_pipe, pid_t guardian, const rlimit* limit) {
  ::setpgid(0, 0);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != guardian) ::_exit(1);
  if (limit != nullptr) ::setrlimit(RLIMIT_NOFILE, limit);
  std::string what = "cannot enter the folder " + message_.folder;
  if (::chdir(message_.folder.c_str()) == 0) {
    what = "cannot execute " + message_.program;
    const std::vector<char*> arguments = pointers_to(message_.arguments);
    const std::vector<char*> environment = pointers_to(message_.environment);
    for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGPIPE}) ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execve(message_.program.c_str(), arguments.data(), environment.data());
  }
  what += std::string(": ") + std::strerror(errno);
  what.resize(std::min<std::size_t>(what.size(), 512));
  [[maybe_unused]] const ssize_t sent = ::write(failed_pipe, what.data(), what.size());
  ::_exit(127);
}

}  // namespace

int run_guardian(pid_t host) {
  // All signals are blocked, not ignored: an ignored SIGCHLD would hide the ends of children.
  ::signal(SIGCHLD, SIG_DFL);
  sigset_t all;
  sigfillset(&all);
  ::sigprocmask(SIG_SETMASK, &all, nullptr);
  ::prctl(PR_SET_NAME, "bentohost");  // it was started as "exe" (base/process/launch.h)
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::prctl(PR_SET_PDEATHSIG, kParentEnded);
  if (::getppid() != host) return 1;
  sigset_t read;
  sigemptyset(&read);
  sigaddset(&read, SIGCHLD);
  sigaddset(&read, kParentEnded);
  UniqueFd signals(::signalfd(-1, &read, SFD_CLOEXEC | SFD_NONBLOCK));
  auto pipes = take_stdio();
  if (!pipes.ok() || !signals) return 1;
  auto message = read_start_message(pipes->in.get());
  if (!message.ok()) return 1;
  Guardian guardian(host, *std::move(pipes), std::move(signals), *std::move(message));
  guardian.run();
  guardian.finish();
  return 0;
}

}  // namespace bentohost::upstream
