// A service with middleware around it, as sdk/docs/guide/middleware.md shows it.
#include <bento/bento.hpp>
#include <bento/middleware/cors.hpp>
#include <bento/middleware/trusted_host.hpp>
#include <chrono>
#include <string>
#include <vector>

namespace {

struct Timing {
  struct State {  // one for each exchange
    std::chrono::steady_clock::time_point began;
  };

  void on_request(bento::Incoming& request, State& state) const {
    state.began = std::chrono::steady_clock::now();
    request.remove_header("x-took-us");
  }
  void on_response(bento::Outgoing& response, State& state) const {
    const std::chrono::duration<double, std::micro> took =
        std::chrono::steady_clock::now() - state.began;
    response.set_header("X-Took-Us", std::to_string(took.count()));
  }
};

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("wrapped").version("0.1").doc("Middleware around a service");
  svc.option("origins", std::vector<std::string>{}, "whose pages may use this");

  svc.use(bento::middleware::TrustedHost{{"localhost", "127.0.0.1", "*.example.com"}});
  svc.use("cors", [](const bento::Options& options) {  // made when the options are known
    return bento::middleware::CORS({.access_control_allow_origins = options.strings("origins")});
  });
  svc.use("timing", Timing{});
  svc.use("visitors", [](bento::Call& call, const bento::Next& next) {
    if (call.header("x-visitor").empty()) {
      call.respond(403, "text/plain", "who are you?\n");
      return;
    }
    call.on_response_start([](bento::ResponseStart& r) { r.headers.set("X-Greeted", "yes"); });
    next(call);
  });

  svc.api("greet", {.method = "GET"}, [](bento::Context& ctx) {
    return "Hello, " + std::string(ctx.header("x-visitor")) + "!\n";
  });
}
