// A trivial handler: measures the cost of the host's HTTP.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) {
  svc.name("hello").version("1.0");
  const auto hello = [](std::string_view) { return std::string("hello"); };
  svc.api("hello", {.quick = true}, hello);
  svc.api("hello_on_a_thread", hello);
}
