// Clients of some addresses only: <bento/middleware/ip_allow.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/ip_allow.hpp>

BENTO_SERVICE(svc) {
  const bento::middleware::IPAllowOptions initial;
  svc.name("ip_allow").version("1.0").doc("Serves clients of some addresses only");
  svc.option("allow", initial.allow, "addresses, networks, \"unix\"; empty: all but deny");
  svc.option("deny", initial.deny, "takes precedence over allow");

  svc.use("ip_allow", [](const bento::Options& options) {
    return bento::middleware::IPAllow(
        {.allow = options.strings("allow"), .deny = options.strings("deny")});
  });
}
