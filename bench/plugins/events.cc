// POST /events: ten server-sent events a second until the client is gone.
#include <bento/bento.hpp>
#include <chrono>
#include <cstdint>
#include <string>
#include <thread>

BENTO_SERVICE(svc) {
  svc.name("events").version("1.0");
  svc.api("events", [](bento::Context& ctx, bento::EventStream& out) {
    auto due = std::chrono::steady_clock::now();
    for (std::uint64_t number = 0; !ctx.cancelled(); ++number) {
      out.send({.data = std::to_string(number)});
      std::this_thread::sleep_until(due += std::chrono::milliseconds(100));
    }
  });
}
