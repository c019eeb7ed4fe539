#include "base/process/signal_handlers.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>

namespace bentohost {
namespace {

std::array<std::atomic<void (*)(int)>, NSIG> handlers;
std::atomic<pid_t> owner = 0;

void on_signal(int number) {
  const int error = errno;
  if (::getpid() == owner.load()) {
    handlers[static_cast<std::size_t>(number)].load()(number);
  } else {
    ::signal(number, SIG_DFL);
    ::raise(number);  // delivered when this returns
  }
  errno = error;
}

}  // namespace

void handle_signals(std::initializer_list<int> numbers, void (*handler)(int number)) {
  owner = ::getpid();
  for (const int number : numbers) {
    handlers[static_cast<std::size_t>(number)] = handler;
    struct sigaction action {};
    action.sa_handler = &on_signal;
    action.sa_flags = SA_RESTART | SA_ONSTACK;
    ::sigaction(number, &action, nullptr);
  }
}

void make_harmless(std::initializer_list<int> numbers) {
  handle_signals(numbers, [](int) {});
}

void unblock_signals() {
  sigset_t none;
  sigemptyset(&none);
  ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace bentohost
