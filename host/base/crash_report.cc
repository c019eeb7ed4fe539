#include "base/crash_report.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "base/call.h"
#include "base/signal_safe_line.h"

namespace bentohost {

constinit thread_local const Call* current_call = nullptr;

namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
// An unwinder that waits for a lock of the thread that crashed must not keep the process.
constexpr unsigned kReportSeconds = 2;
constexpr int kMaxFrames = 32;

struct Setup {
  LogFormat format = LogFormat::kText;
  std::string_view component;
  CrashHooks hooks;
  std::array<struct sigaction, kSignals.size()> before{};
  // backtrace_symbols_fd() writes to a descriptor alone: what it says goes through this pipe.
  std::array<int, 2> pipe{-1, -1};
};
Setup setup;
std::atomic<int> reporting_thread = 0;

void report_signal(int number, const siginfo_t& info) {
  SignalSafeLine line(setup.format, setup.component);
  const char* const name = ::sigabbrev_np(number);
  line.text("crashed by SIG").text(name == nullptr ? "?" : name).text(" (signal ");
  line.number(static_cast<unsigned>(number)).text(")");
  if (info.si_code > 0 && number != SIGABRT) {
    line.text(" at address ").number(reinterpret_cast<std::uintptr_t>(info.si_addr), 16);
  }
  if (const Call* const call = current_call; call != nullptr) {
    line.text(" in a call of the plugin's");
    line.field("service", call->service).field("plugin", call->plugin).field("call", call->what);
    line.field("method", call->method).field("path", call->path);
    line.field("request_id", call->request_id);
  } else {
    line.text(", not in a call of a plugin's");
  }
  line.write_to(STDERR_FILENO);
}

void report_backtrace() {
  std::array<void*, kMaxFrames> frames;
  const int count = ::backtrace(frames.data(), kMaxFrames);
  for (int i = 0; i < count; ++i) {
    std::array<char, 1024> words;
    ::backtrace_symbols_fd(&frames[static_cast<std::size_t>(i)], 1, setup.pipe[1]);
    ssize_t size = ::read(setup.pipe[0], words.data(), words.size());
    while (size > 0 && words[static_cast<std::size_t>(size - 1)] == '\n') --size;
    if (size <= 0) continue;
    SignalSafeLine line(setup.format, setup.component);
    line.text("  #").number(static_cast<unsigned>(i)).text(" ");
    line.text({words.data(), static_cast<std::size_t>(size)});
    line.write_to(STDERR_FILENO);
  }
}

void limit_time() {
  ::signal(SIGALRM, SIG_DFL);
  sigset_t alarm;
  sigemptyset(&alarm);
  sigaddset(&alarm, SIGALRM);
  ::pthread_sigmask(SIG_UNBLOCK, &alarm, nullptr);
  ::alarm(kReportSeconds);
}

void let_it_take_its_course(int number, const siginfo_t& info) {
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    if (kSignals[i] == number) ::sigaction(number, &setup.before[i], nullptr);
  }
  // What the processor raised comes again by itself where it came from, for the core dump's sake.
  if (info.si_code <= 0 || number == SIGABRT) ::raise(number);
}

void on_crash(int number, siginfo_t* info, void* /*context*/) {
  const int saved = errno;
  int nobody = 0;
  if (!reporting_thread.compare_exchange_strong(nobody, ::gettid())) {
    // One report is enough, and it ends us all; unless it is the report that crashed.
    while (nobody != ::gettid()) ::pause();
    return let_it_take_its_course(number, *info);
  }
  limit_time();
  if (setup.hooks.before_report != nullptr) setup.hooks.before_report();
  report_signal(number, *info);
  report_backtrace();
  if (setup.hooks.after_report != nullptr) setup.hooks.after_report(number);
  let_it_take_its_course(number, *info);
  errno = saved;
}

}  // namespace

void install_crash_report(LogFormat format, std::string_view component, CrashHooks hooks) {
  setup.format = format;
  setup.component = component;
  setup.hooks = hooks;
  if (::pipe2(setup.pipe.data(), O_CLOEXEC | O_NONBLOCK) != 0) setup.pipe = {-1, -1};
  // Its first call loads the unwinder's library, which a signal handler must not.
  void* frame = nullptr;
  (void)::backtrace(&frame, 1);
  struct sigaction action {};
  action.sa_sigaction = &on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigfillset(&action.sa_mask);
  sigdelset(&action.sa_mask, SIGALRM);
  for (std::size_t i = 0; i < kSignals.size(); ++i) {
    ::sigaction(kSignals[i], &action, &setup.before[i]);
  }
}

}  // namespace bentohost
