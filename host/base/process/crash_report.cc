#include "base/process/crash_report.h"

#include <execinfo.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

#include "base/process/code_names.h"
#include "base/process/exits.h"
#include "base/process/plugin_call_note.h"
#include "base/process/signal_safe_line.h"
#include "base/process/user_output.h"

namespace bentohost {

constinit thread_local const PluginCallNote* current_call = nullptr;

namespace {

constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
// An unwinder that waits for a lock of the crashed thread must not keep the process alive.
constexpr unsigned kReportSeconds = 2;

struct Setup {
  LogFormat format = LogFormat::kText;
  std::string_view component;
  CrashHooks hooks;
  std::array<struct sigaction, kSignals.size()> before{};
};
Setup setup;
std::atomic<int> reporting_thread = 0;
std::atomic<pid_t> hung_thread = 0;

void add_call_fields(SignalSafeLine& line) {
  const PluginCallNote& call = *current_call;
  line.field("service", call.service).field("plugin", call.plugin).field("call", call.what);
  line.field("method", call.method).field("path", call.path);
  line.field("request_id", call.request_id);
}

void report_signal(int number, const siginfo_t& info) {
  SignalSafeLine line(setup.format, setup.component);
  const char* const name = ::sigabbrev_np(number);
  const bool hangs = number == SIGABRT && hung_thread == ::gettid();
  line.text(hangs ? "hangs, and is ended by SIG" : "crashed by SIG");
  line.text(name == nullptr ? "?" : name).text(" (signal ");
  line.number(static_cast<unsigned>(number)).text(")");
  if (info.si_code > 0 && number != SIGABRT) {
    line.text(" at address ").number(reinterpret_cast<std::uintptr_t>(info.si_addr), 16);
  }
  line.text(current_call != nullptr ? " in a call into the plugin"
                                    : ", not in a call into a plugin");
  if (current_call != nullptr) add_call_fields(line);
  line.write_to(log_fd());
}

void report_exit(const char* function, int code) {
  SignalSafeLine line(setup.format, setup.component);
  line.text("exited with code ").number(static_cast<unsigned>(code & 0xFF));
  line.text(current_call != nullptr ? " in a call into the plugin"
                                    : " on a thread that is not the host's");
  line.text(": it called ").text(function);
  if (current_call != nullptr) add_call_fields(line);
  line.write_to(log_fd());
}

void report_backtrace() {
  std::array<void*, kMostFrames> frames;
  const int count = ::backtrace(frames.data(), kMostFrames);
  const CodeName* const names = describe_code(frames.data(), count);
  for (int i = 0; i < count; ++i) {
    const CodeName& name = names[i];
    SignalSafeLine line(setup.format, setup.component);
    line.text("  #").number(static_cast<unsigned>(i)).text(" ");
    if (!name.function.empty()) {
      line.text(name.function).text("+").number(name.in_function, 16).text(" in ");
    }
    if (!name.library.empty()) {
      line.text(name.library).text("+").number(name.in_library, 16);
    } else {
      line.number(reinterpret_cast<std::uintptr_t>(frames[static_cast<std::size_t>(i)]), 16);
    }
    line.write_to(log_fd());
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
  // A fault recurs by itself when the handler returns, so that the core dump shows its place.
  if (info.si_code <= 0 || number == SIGABRT) ::raise(number);
}

// Threads that crash during a report wait here for the process's end. False: this thread reports.
bool is_reported() {
  int nobody = 0;
  if (reporting_thread.compare_exchange_strong(nobody, ::gettid())) return false;
  while (nobody != ::gettid()) ::pause();
  return true;  // the report itself crashed
}

void on_exit(const char* function, int code) {
  if (is_reported()) return;
  limit_time();
  flush_stdout();
  if (setup.hooks.before_report != nullptr) setup.hooks.before_report();
  UserOutput::flush_in_crash(setup.format, setup.component);
  report_exit(function, code);
  report_backtrace();
  if (setup.hooks.after_report != nullptr) setup.hooks.after_report();
  if (setup.hooks.is_exit_a_crash) end_process(code);
  ::alarm(0);
  reporting_thread = 0;
}

void on_crash(int number, siginfo_t* info, void* /*context*/) {
  const int saved = errno;
  if (is_reported()) return let_it_take_its_course(number, *info);
  limit_time();
  if (setup.hooks.before_report != nullptr) setup.hooks.before_report();
  UserOutput::flush_in_crash(setup.format, setup.component);
  report_signal(number, *info);
  if (setup.hooks.before_backtrace != nullptr) setup.hooks.before_backtrace(number);
  report_backtrace();
  if (setup.hooks.after_report != nullptr) setup.hooks.after_report();
  let_it_take_its_course(number, *info);
  errno = saved;
}

}  // namespace

void install_crash_report(LogFormat format, std::string_view component, CrashHooks hooks) {
  setup.format = format;
  setup.component = component;
  setup.hooks = hooks;
  prepare_code_names();
  // The first backtrace() loads the unwinder's library, which a signal handler must not do.
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
  watch_exits(&on_exit);
}

void end_for_hanging(pid_t thread) {
  hung_thread = thread;
  ::tgkill(::getpid(), thread, SIGABRT);
}

}  // namespace bentohost
