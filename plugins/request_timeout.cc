// A service's own time limit for requests: <bento/middleware/request_timeout.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/request_timeout.hpp>

namespace {

constexpr double kMaxSeconds = 1e6;

std::chrono::nanoseconds seconds(double value) {
  if (!(value > 0 && value <= kMaxSeconds)) {
    throw bento::Error(BENTO_INVALID_ARGUMENT, "timeout must be more than 0 and at most 1000000 s");
  }
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::duration<double>(value));
}

}  // namespace

BENTO_SERVICE(svc) {
  svc.name("request_timeout").version("1.0").doc("Limits how long a request may take");
  svc.option("timeout", 60.0, "seconds, if less than --timeout");

  svc.use("request_timeout", [](const bento::Options& options) {
    return bento::middleware::RequestTimeout(seconds(options.number("timeout")));
  });
}
