// So many requests of each client: <bento/middleware/rate_limit.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/rate_limit.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::RateLimitOptions initial;
  svc.name("rate_limit").version("1.0").doc("Limits how often each client may ask");
  svc.option("rate", initial.rate, "requests a second, in the long run");
  svc.option("burst", initial.burst, "requests at once");
  svc.option("header", initial.header, "clients are told apart by it; \"\": by their addresses");
  svc.option("max_keys", initial.max_keys, "so many clients are known at most");

  svc.use("rate_limit", [](const bento::Options& options) {
    return bento::middleware::RateLimit({.rate = options.number("rate"),
                                         .burst = natural(options, "burst"),
                                         .header = options.text("header"),
                                         .max_keys = natural(options, "max_keys")});
  });
}
