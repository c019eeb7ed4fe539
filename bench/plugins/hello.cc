// The least that a handler can be: what remains is what the host's HTTP front costs.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) {
  svc.name("hello").version("1.0");
  svc.api("hello", [](std::string_view) { return std::string("hello"); });
}
