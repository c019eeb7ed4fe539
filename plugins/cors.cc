// Lets pages of other origins use a service: <bento/middleware/cors.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/cors.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::CORSOptions initial;
  svc.name("cors").version("1.0").doc("Lets pages of other origins use a service");
  svc.option("access_control_allow_origins", initial.access_control_allow_origins,
             "such as https://example.com; \"*\" allows any");
  svc.option("access_control_allow_origin_regex", initial.access_control_allow_origin_regex,
             "also allows origins that match this as a whole (ECMAScript)");
  svc.option("access_control_allow_credentials", initial.access_control_allow_credentials,
             "allows requests with cookies and the like");
  svc.option("access_control_allow_methods", initial.access_control_allow_methods, "\"*\": all");
  svc.option("access_control_allow_headers", initial.access_control_allow_headers, "\"*\": any");
  svc.option("access_control_expose_headers", initial.access_control_expose_headers,
             "response headers that the page may read");
  svc.option("access_control_max_age", initial.access_control_max_age,
             "seconds for which a browser remembers a preflight");

  svc.use("cors", [](const bento::Options& options) {
    return bento::middleware::CORS({
        .access_control_allow_origins = options.strings("access_control_allow_origins"),
        .access_control_allow_origin_regex = options.text("access_control_allow_origin_regex"),
        .access_control_allow_credentials = options.boolean("access_control_allow_credentials"),
        .access_control_allow_methods = options.strings("access_control_allow_methods"),
        .access_control_allow_headers = options.strings("access_control_allow_headers"),
        .access_control_expose_headers = options.strings("access_control_expose_headers"),
        .access_control_max_age = natural(options, "access_control_max_age"),
    });
  });
}
