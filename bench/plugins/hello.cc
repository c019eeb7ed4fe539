// The least that a handler can be: what remains is what the host's HTTP front costs.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) {
  svc.name("hello").version("1.0");
  const auto hello = [](std::string_view) { return std::string("hello"); };
  svc.api("hello", {.quick = true}, hello);
  svc.api("hello_on_a_thread", hello);
}
