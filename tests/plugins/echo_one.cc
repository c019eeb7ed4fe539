// A second service with a route that the lab has too.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) {
  svc.name("echo_one");
  svc.api("echo", [](std::string_view text) { return std::string(text); });
}
