// A service's own limit on request bodies: <bento/middleware/body_limit.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/body_limit.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::BodyLimitOptions initial;
  svc.name("body_limit").version("1.0").doc("Limits the size of request bodies");
  svc.option("max_body", initial.max_body, "bytes, as sent and as inflated");

  svc.use("body_limit", [](const bento::Options& options) {
    return bento::middleware::BodyLimit({.max_body = natural(options, "max_body")});
  });
}
