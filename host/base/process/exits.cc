#include "base/process/exits.h"

#include <dlfcn.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "base/process/host_thread.h"
#include "base/process/plugin_call_note.h"

namespace bentohost {
namespace {

using Exit = void (*)(int);

std::atomic<OnExit> listener = nullptr;
std::atomic<pid_t> whose = 0;  // children of fork() have another pid

// The function of libc, or of a sanitizer.
Exit real(const char* name) {
  void* const symbol = ::dlsym(RTLD_NEXT, name);
  return reinterpret_cast<Exit>(symbol);
}

struct Real {
  Exit exit = real("exit"), quick_exit = real("quick_exit"), underscore = real("_exit");
};
const Real& reals() {
  static const Real found;
  return found;
}

void tell(const char* function, int code) {
  if (whose.load() != ::getpid()) return;
  const bool is_a_plugins = current_call != nullptr || !is_host_thread(::gettid());
  if (!is_a_plugins) return;
  if (const OnExit on_exit = listener.exchange(nullptr); on_exit != nullptr)
    on_exit(function, code);
}

[[noreturn]] void go_on(Exit exit, int code) {
  if (exit != nullptr) exit(code);
  for (;;) ::syscall(SYS_exit_group, code);
}

void on_exit_within_libc(int code, void* /*unused*/) { tell("exit()", code); }

}  // namespace

void watch_exits(OnExit on_exit) {
  (void)reals();
  ::on_exit(&on_exit_within_libc, nullptr);
  listener = on_exit;
  whose = ::getpid();
}

void end_process(int code) { go_on(reals().underscore, code); }

}  // namespace bentohost

extern "C" {

void exit(int code) noexcept {
  bentohost::tell("exit()", code);
  bentohost::go_on(bentohost::reals().exit, code);
}

void quick_exit(int code) noexcept {
  bentohost::tell("quick_exit()", code);
  bentohost::go_on(bentohost::reals().quick_exit, code);
}

void _exit(int code) {
  bentohost::tell("_exit()", code);
  bentohost::go_on(bentohost::reals().underscore, code);
}

void _Exit(int code) noexcept {
  bentohost::tell("_Exit()", code);
  bentohost::go_on(bentohost::reals().underscore, code);
}
}
