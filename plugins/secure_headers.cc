// Security headers for browsers: <bento/middleware/secure_headers.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/secure_headers.hpp>

#include "options.h"

BENTO_SERVICE(svc) {
  const bento::middleware::SecureHeadersOptions initial;
  svc.name("secure_headers").version("1.0").doc("Adds security headers for browsers");
  svc.option("frame_options", initial.frame_options, "X-Frame-Options; \"\" leaves it out");
  svc.option("referrer_policy", initial.referrer_policy, "Referrer-Policy; \"\" leaves it out");
  svc.option("content_security_policy", initial.content_security_policy,
             "Content-Security-Policy; \"\" leaves it out");
  svc.option("hsts_max_age", initial.hsts_max_age,
             "seconds of Strict-Transport-Security, over https; 0 leaves it out");
  svc.option("hsts_include_subdomains", initial.hsts_include_subdomains,
             "Strict-Transport-Security also for all names below this one");

  svc.use("secure_headers", [](const bento::Options& options) {
    return bento::middleware::SecureHeaders({
        .frame_options = options.text("frame_options"),
        .referrer_policy = options.text("referrer_policy"),
        .content_security_policy = options.text("content_security_policy"),
        .hsts_max_age = natural(options, "hsts_max_age"),
        .hsts_include_subdomains = options.boolean("hsts_include_subdomains"),
    });
  });
}
