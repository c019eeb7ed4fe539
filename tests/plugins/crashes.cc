// A service whose handlers end the process that they run in, each in another way.
#include <signal.h>
#include <unistd.h>

#include <bento/bento.hpp>
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

// "42" of "/wait/42".
long path_number(bento::Context& ctx) { return std::stol(std::string(ctx.path_param("ms"))); }

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("crashes").version("1");
  svc.option("at_start", "", "a file: whoever finds it at its start crashes");
  svc.on_startup([](const bento::Options& options) {
    const std::string marker(options.text("at_start"));
    if (!marker.empty() && ::access(marker.c_str(), F_OK) == 0) ::raise(SIGSEGV);
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
  svc.api("exit", [](std::string_view) -> std::string { ::_exit(3); });
  svc.api("hang_loop", {.quick = true}, [](std::string_view text) -> std::string {
    sleep_ms(std::stol(std::string(text)));
    return "awake";
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
