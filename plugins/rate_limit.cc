// A limit on the request rate of each client: <bento/middleware/rate_limit.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/rate_limit.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::RateLimitOptions initial;
  svc.name("rate_limit").version("1.0").doc("Limits the request rate of each client");
  svc.option("rate", initial.rate, "requests a second, in the long run");
  svc.option("burst", initial.burst, "requests at once");
  svc.option("header", initial.header, "tells clients apart; \"\": by their addresses");
  svc.option("max_keys", initial.max_keys, "the most clients that are remembered");

  svc.use("rate_limit", [](const bento::Options& options) {
    return bento::middleware::RateLimit({.rate = options.number("rate"),
                                         .burst = natural(options, "burst"),
                                         .header = options.text("header"),
                                         .max_keys = natural(options, "max_keys")});
  });
}
