// A service whose handlers end the process that they run in, each in another way.
#include <error.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bento/bento.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

namespace {

// Until the stack ends; the compiler must not see that it does nothing.
[[gnu::noinline]] int deeper(volatile int* depth) {
  volatile int here[256] = {};
  here[0] = *depth + 1;
  if (here[0] < 0) return 0;  // it never comes to that
  return deeper(here) + here[0];
}

// A sanitizer would end it in its own way.
__attribute__((noinline, no_sanitize("address"), no_sanitize("undefined"))) void write_nowhere() {
  volatile int* volatile nowhere = nullptr;
  *nowhere = 1;
}

void sleep_ms(long ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::string exit_code_of_a_child() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(4);
  int status = 0;
  ::waitpid(child, &status, 0);
  return std::to_string(WEXITSTATUS(status));
}

// The pid of a process that waits for a signal, and whose parent has ended.
pid_t an_orphan() {
  int ends[2];
  if (::pipe(ends) != 0) return -1;
  const pid_t parent = ::fork();
  if (parent == 0) {
    const pid_t orphan = ::fork();
    if (orphan == 0) {
      for (;;) ::pause();
    }
    [[maybe_unused]] const auto n = ::write(ends[1], &orphan, sizeof orphan);
    ::_exit(0);
  }
  ::waitpid(parent, nullptr, 0);
  pid_t orphan = -1;
  [[maybe_unused]] const auto n = ::read(ends[0], &orphan, sizeof orphan);
  ::close(ends[0]);
  ::close(ends[1]);
  return orphan;
}

// With poll(): the thread sanitizer does not deliver a signal to a thread that waits in open().
void wait_for(const std::string& fifo) {
  pollfd waiting{.fd = ::open(fifo.c_str(), O_RDWR | O_CLOEXEC), .events = POLLIN, .revents = 0};
  while (::poll(&waiting, 1, -1) < 0 && errno == EINTR) {
  }
  ::close(waiting.fd);
}

// "42" of "/wait/42".
long path_number(bento::Context& ctx) { return std::stol(std::string(ctx.path_param("ms"))); }

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("crashes").version("1");
  svc.option("at_start", "", "a file: whoever finds it at its start crashes");
  svc.option("exit_at_start", false, "whether it calls exit(0) at its start");
  svc.on_startup([](const bento::Options& options) {
    const std::string marker(options.text("at_start"));
    if (!marker.empty() && ::access(marker.c_str(), F_OK) == 0) ::raise(SIGSEGV);
    if (options.boolean("exit_at_start")) std::exit(0);
  });
  svc.option("on_ready_until", "", "a FIFO: on_ready returns when something was written to it");
  svc.on_ready([](const bento::Options& options) {
    const std::string fifo(options.text("on_ready_until"));
    if (!fifo.empty()) wait_for(fifo);
  });

  svc.api("segv", [](std::string_view) -> std::string {
    write_nowhere();
    return "not here";
  });
  svc.api("abort", [](std::string_view) -> std::string { std::abort(); });
  svc.api("overflow", [](std::string_view) -> std::string {
    volatile int depth = 0;
    return std::to_string(deeper(&depth));
  });
  svc.api("exit", {.route = "/exit/{how}"}, [](bento::Context& ctx) -> std::string {
    const std::string_view how = ctx.path_param("how");
    if (how == "exit") std::exit(3);
    if (how == "_exit") ::_exit(3);
    if (how == "quick_exit") std::quick_exit(3);
    if (how == "error") ::error(3, 0, "a library's own way out");  // within libc
    if (how == "thread") std::thread([] { std::exit(3); }).join();
    return "a child's exit is its own: " + exit_code_of_a_child();
  });
  svc.api("orphan", {.method = "GET"}, [](bento::Context&) { return std::to_string(an_orphan()); });
  svc.api("hang_loop", {.route = "/hang_loop/{ms}", .quick = true}, [](bento::Context& ctx) {
    sleep_ms(path_number(ctx));
    return std::string("awake");
  });
  svc.api("echo", [](std::string_view text) { return std::string(text); });
  svc.api("wait", {.route = "/wait/{ms}", .method = "GET"}, [](bento::Context& ctx) {
    sleep_ms(path_number(ctx));
    return std::string("waited");
  });
  svc.api("half", {.method = "GET"}, [](bento::Stream& stream) {  // a body that never ends
    stream.start(200, "text/plain");
    stream.send("half of it");
    sleep_ms(60'000);
  });
}
