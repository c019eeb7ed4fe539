// From http to https: <bento/middleware/https_redirect.hpp>.
#include <bento/bento.hpp>
#include <bento/middleware/https_redirect.hpp>

BENTO_SERVICE(svc) {
  svc.name("https_redirect").version("1.0").doc("Redirects from http to https");

  svc.use(bento::middleware::HTTPSRedirect{});
}
