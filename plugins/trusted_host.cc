// Requests for known names only: <bento/middleware/trusted_host.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/trusted_host.hpp>

BENTO_SERVICE(svc) {
  svc.name("trusted_host").version("1.0").doc("Serves requests for known names only");
  svc.option("allowed_hosts", std::vector<std::string>{"*"},
             "names; \"*.example.com\" is every name below it, \"*\" any");
  svc.option("www_redirect", true, "redirect to www. if only that name is allowed");

  svc.use("trusted_host", [](const bento::Options& options) {
    return bento::middleware::TrustedHost({.allowed_hosts = options.strings("allowed_hosts"),
                                           .www_redirect = options.boolean("www_redirect")});
  });
}
