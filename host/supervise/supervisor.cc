#include "supervise/supervisor.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <list>
#include <memory>
#include <utility>

#include "base/log.h"
#include "base/process/clean_pages.h"
#include "base/process/launch.h"
#include "base/process/process_exit.h"
#include "supervise/fallback_server.h"
#include "supervise/notify.h"
#include "supervise/orphans.h"
#include "supervise/watch.h"

namespace bentohost::supervise {
namespace {

// From the second signal to SIGKILL, for a serving process that ignores even that signal.
constexpr Duration kLastGrace = std::chrono::seconds(1);
constexpr int kExitBySignal = 128;

constexpr int kOurSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGCHLD};
// A reason for a replacement, beside those of base/process/process_exit.h.
constexpr char kHungLabel[] = "watchdog";

sigset_t our_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kOurSignals) sigaddset(&set, number);
  return set;
}

int exit_code(int status) {
  return WIFSIGNALED(status) ? kExitBySignal + WTERMSIG(status) : WEXITSTATUS(status);
}

class Supervisor {
 public:
  Supervisor(SupervisorOptions options, std::vector<http::Listener> listeners)
      : options_(std::move(options)), listeners_(std::move(listeners)) {
    const sigset_t set = our_signals();
    ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    take_in_orphans();
    ::signal(SIGCHLD, SIG_DFL);  // if our parent ignored it, the kernel would reap our children
    signals_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  // Starts the first serving process, or goes on with the one of the supervisor before us.
  Status begin(const std::optional<Resumed>& resumed) {
    if (!resumed) return start_current();
    ServingProcess process;
    process.pid = resumed->serving;
    process.control = Control(UniqueFd(resumed->control));
    process.started = process.ready_at = process.beat_at = clock_.now();
    ::fcntl(resumed->control, F_SETFD, FD_CLOEXEC);
    restarts_ = resumed->restarts;
    current_ = std::move(process);
    has_been_ready_ = true;
    log_info("upgraded; " + std::string(options_.program.exe) + " supervises from now on");
    notify_ready(status_text_);
    return {};
  }

  int run() {
    // The supervisor does little from now on: most pages that its start used are not needed again.
    drop_clean_pages();
    while (!exit_code_) turn();
    return *exit_code_;
  }

 private:
  // ---- one turn ----

  void turn() {
    std::vector<pollfd> fds{{signals_.get(), POLLIN, 0}};
    for (const ServingProcess* process : all()) {
      // SIGCHLD reports its end.
      fds.push_back({process->control.has_ended() ? -1 : process->control.fd(), POLLIN, 0});
    }
    if (::poll(fds.data(), fds.size(), timeout_ms()) < 0 && errno != EINTR) return;
    // In this order: a process told to stop has not died, and its last messages count.
    take_signals();
    for (ServingProcess* process : all()) take_messages(*process);
    if (current_ && current_->crashed_by != 0) replace_the_crashing();
    bury_the_dead();
    are_orphans_left_ = !reap_orphans([this](pid_t pid) { return is_ours(pid); });
    if (is_upgrade_due_ && current_ && current_->is_ready()) upgrade();
    look_at_the_time();
  }

  std::vector<ServingProcess*> all() {
    std::vector<ServingProcess*> processes;
    if (current_) processes.push_back(&*current_);
    if (next_) processes.push_back(&*next_);
    for (ServingProcess& process : leaving_) processes.push_back(&process);
    return processes;
  }

  bool is_ours(pid_t pid) {
    for (const ServingProcess* process : all()) {
      if (process->pid == pid) return true;
    }
    return false;
  }

  int timeout_ms() const {
    if (are_orphans_left_) return 0;
    const TimePoint when = std::min({start_at_, kill_at_, watch_.next()});
    if (when == kNoDeadline) return -1;
    const Duration wait = std::max(when - clock_.now(), Duration::zero());
    return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count());
  }

  void look_at_the_time() {
    const TimePoint now = clock_.now();
    if (now >= start_at_) {
      start_at_ = kNoDeadline;
      fallback_.reset();
      if (Status status = start_current(); !status.ok()) {
        log_error(status.message());
        back_off(policy_.next(Duration::zero()));
      }
    }
    if (now >= kill_at_) {
      kill_at_ = kNoDeadline;
      for (const ServingProcess* process : all()) ::kill(process->pid, SIGKILL);
    }
    if (watch_.turn(current_ && !is_stopping_ ? &*current_ : nullptr, now)) {
      // Do not wait for its end: a process that is stuck in a driver survives even SIGKILL.
      ::kill(current_->pid, SIGKILL);
      current_->crashed_by = SIGKILL;
      replace_the_crashing();
    }
  }

  // ---- starting ----

  Status start_current() {
    auto process = start(false);
    if (!process.ok()) return std::move(process).take_status();
    current_ = *std::move(process);
    return {};
  }

  Result<ServingProcess> start(bool take_over) {
    Orders orders;
    orders.take_over = take_over;
    orders.beat = watch_.beat();
    orders.restarts = restarts_;
    // Only an upgrade starts the program now at the path; after a crash the version stays the same.
    return start_serving(
        {take_over ? options_.program.exe : own_program(), options_.program.arguments}, listeners_,
        orders, clock_.now());
  }

  void back_off(Duration delay) {
    start_at_ = clock_.now() + delay;
    if (delay == Duration::zero() || fallback_ != nullptr) return;
    auto options = options_.fallback();
    if (options.ok()) {
      fallback_ = std::make_unique<FallbackServer>(*std::move(options), listeners_);
    } else {
      log_error("clients wait until the next start, without a 503: " + options.status().message());
    }
  }

  // ---- signals ----

  void take_signals() {
    signalfd_siginfo info{};
    while (::read(signals_.get(), &info, sizeof info) == sizeof info) {
      switch (info.ssi_signo) {
        case SIGCHLD:
          break;  // it only wakes us
        case SIGUSR1:
          log_info("SIGUSR1 means nothing here, and is ignored");
          break;
        case SIGHUP:
          if (current_) hang_up(*current_);
          if (next_) hang_up(*next_);
          break;
        case SIGUSR2:
          upgrade();
          break;
        default:
          stop(static_cast<int>(info.ssi_signo));
      }
    }
  }

  // A process that is not ready may have read its files before they changed: SIGHUP is sent later.
  static void hang_up(ServingProcess& process) {
    process.is_hangup_due = !process.is_ready();
    if (!process.is_hangup_due) {
      ::kill(process.pid, SIGHUP);
    } else {
      log_info("SIGHUP: changed files are read again as soon as the serving process is ready",
               {{"pid", process.pid}});
    }
  }

  void stop(int number) {
    const std::string order = "stop " + std::to_string(number);
    const bool is_first = !std::exchange(is_stopping_, true);
    if (is_first) {
      notify("STOPPING=1\nSTATUS=stopping");
      start_at_ = kNoDeadline;
      fallback_.reset();
      // A process that has not finished starting has no requests to finish.
      if (next_ && current_) ::kill(next_->pid, SIGKILL);
    } else {
      kill_at_ = clock_.now() + kLastGrace;
      killed_by_ = number;
      for (const ServingProcess& process : leaving_) process.control.send(order);
    }
    if (current_) {
      current_->control.send(order);
    } else if (all().empty()) {
      exit_code_ = 0;
    }
  }

  void upgrade() {
    if (is_stopping_) return;
    if (current_) take_messages(*current_);  // it may have sent "ready"
    if (!current_ || !current_->is_ready()) {
      is_upgrade_due_ = true;
      return log_info("SIGUSR2: the upgrade begins when a serving process is ready");
    }
    is_upgrade_due_ = false;
    if (next_) {
      log_warning("SIGUSR2: the new serving process that is starting is replaced by another one",
                  {{"pid", next_->pid}});
      ::kill(next_->pid, SIGKILL);
      leaving_.push_back(*std::exchange(next_, std::nullopt));
    }
    notify_reloading("upgrading");
    auto process = start(true);
    if (!process.ok()) return give_up_upgrade(process.status().message());
    next_ = *std::move(process);
    log_info("SIGUSR2: a new serving process starts beside the old one",
             {{"pid", next_->pid}, {"old_pid", current_->pid}});
  }

  void give_up_upgrade(const std::string& why) {
    log_error("the upgrade has failed, and the old serving process serves on: " + why);
    notify_ready(status_text_);
  }

  // ---- messages ----

  void take_messages(ServingProcess& process) {
    while (const auto message = process.control.receive()) {
      process.beat_at = clock_.now();
      if (*message == "beat") process.is_hung = false;  // its loops have turned after all
      if (message->starts_with("ready")) {
        const bool moves = next_ && &process == &*next_;
        on_ready(process, message->substr(5));
        if (moves) return take_messages(*current_);
      }
      if (message->starts_with("crashing ")) process.crashed_by = std::atoi(message->c_str() + 9);
    }
  }

  void on_ready(ServingProcess& process, std::string text) {
    process.ready_at = clock_.now();
    has_been_ready_ = true;
    if (std::exchange(process.is_hangup_due, false)) ::kill(process.pid, SIGHUP);
    if (const std::size_t begin = text.find_first_not_of(' '); begin != std::string::npos) {
      status_text_ = text.substr(begin);
    }
    if (next_ && &process == &*next_) {
      is_upgraded_ = true;
      current_->control.send("hand_over");
      log_info("the new serving process takes over; the old one finishes what it has begun",
               {{"pid", next_->pid}, {"old_pid", current_->pid}});
      leaving_.push_back(*std::exchange(current_, std::nullopt));
      current_ = std::exchange(next_, std::nullopt);
    }
    if (!is_stopping_) notify_ready(status_text_);
  }

  // ---- deaths ----

  // Do not wait for the end of a process that is crashing: it may be dumping core.
  void replace_the_crashing() {
    if (is_stopping_ || !has_been_ready_) return;
    leaving_.push_back(*std::exchange(current_, std::nullopt));
    on_death(leaving_.back(), leaving_.back().crashed_by);  // the status that wait(2) will give
  }

  static bool has_died(const ServingProcess& process, int& status) {
    return ::waitpid(process.pid, &status, WNOHANG) == process.pid;
  }

  void bury_the_dead() {
    int status = 0;
    for (auto it = leaving_.begin(); it != leaving_.end();) {
      if (!has_died(*it, status)) {
        ++it;
        continue;
      }
      if (it->crashed_by == 0) {
        log_info("the old serving process " + exit_text(status), {{"pid", it->pid}});
      }
      it = leaving_.erase(it);
    }
    if (next_ && has_died(*next_, status)) {
      next_.reset();
      if (!is_stopping_) {
        give_up_upgrade("the new one " + exit_text(status) + " before it was ready");
      }
    }
    if (current_ && has_died(*current_, status))
      on_death(*std::exchange(current_, std::nullopt), status);
    const bool is_settled =
        current_ && current_->is_ready() && leaving_.empty() && !next_ && !is_stopping_;
    if (is_settled && std::exchange(is_upgraded_, false)) become_the_new_one();
    if (is_stopping_ && all().empty() && !exit_code_) exit_code_ = last_exit_code_;
  }

  void on_death(const ServingProcess& process, int status) {
    last_exit_code_ = exit_code(status);
    if (is_stopping_) {
      if (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL && killed_by_ != 0) {
        last_exit_code_ = kExitBySignal + killed_by_;
      }
      if (WIFSIGNALED(status)) {
        log_error("the serving process " + exit_text(status) + " while it was ending",
                  {{"pid", process.pid}});
      }
      return;
    }
    if (!has_been_ready_) {
      // A process that exits has said why, unless a plugin's code exited with 0.
      const bool is_silent = WIFSIGNALED(status) || last_exit_code_ == 0;
      exit_code_ = is_silent ? 1 : last_exit_code_;
      if (is_silent) {
        std::fprintf(stderr, "bentohost: the serving process %s before it was ready\n",
                     exit_text(status).c_str());
      }
      return;
    }
    const Duration served = process.served(clock_.now());
    const Duration delay = policy_.next(served);
    ++restarts_[process.is_hung ? kHungLabel : exit_label(status)];
    log_error("the serving process " + exit_text(status) +
                  (delay == Duration::zero() ? "; replacing it"
                                             : "; replacing it in " + in_seconds(delay)),
              {{"pid", process.pid},
               {"uptime", in_seconds(clock_.now() - process.started)},
               {"ready_for", in_seconds(served)}});
    notify("STATUS=replacing the serving process, which " + exit_text(status));
    if (next_) {  // the new process was about to take over anyway
      current_ = std::exchange(next_, std::nullopt);
      is_upgraded_ = true;
      return;
    }
    if (delay == Duration::zero()) {
      start_at_ = clock_.now();
    } else {
      back_off(delay);
    }
  }

  // ---- the rest ----

  // Executes the program that serves now in this process, so that it supervises, too.
  void become_the_new_one() {
    const Status failed = execute_again(options_.program, listeners_,
                                        {current_->pid, current_->control.fd(), restarts_});
    log_error("the old supervisor stays: " + failed.message());
  }

  const SupervisorOptions options_;
  const std::vector<http::Listener> listeners_;
  SteadyClock clock_;
  UniqueFd signals_;
  Watch watch_{options_.watchdog, clock_.now()};

  std::optional<ServingProcess> current_;  // nullopt: about to be started
  std::optional<ServingProcess> next_;     // of an upgrade, until it is ready
  std::list<ServingProcess> leaving_;      // have handed over, or are about to die
  std::unique_ptr<FallbackServer> fallback_;
  RestartPolicy policy_;
  RestartCounts restarts_;
  TimePoint start_at_ = kNoDeadline, kill_at_ = kNoDeadline;
  std::string status_text_ = "serving";
  bool has_been_ready_ = false, is_stopping_ = false;
  bool is_upgrade_due_ = false;  // SIGUSR2 came while no serving process was ready
  bool is_upgraded_ = false;     // the supervisor follows when the old process has gone
  bool are_orphans_left_ = false;
  int killed_by_ = 0;  // the second stop signal
  int last_exit_code_ = 0;
  std::optional<int> exit_code_;
};

}  // namespace

int supervise(SupervisorOptions options, std::vector<http::Listener> listeners,
              const std::optional<Resumed>& resumed) {
  Supervisor supervisor(std::move(options), std::move(listeners));
  if (Status status = supervisor.begin(resumed); !status.ok()) {
    std::fprintf(stderr, "bentohost: %s\n", status.message().c_str());
    return 1;
  }
  return supervisor.run();
}

}  // namespace bentohost::supervise
