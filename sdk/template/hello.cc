// The smallest service: copy this folder and begin.
#include <bento/bento.hpp>

BENTO_SERVICE(svc) {
  svc.name("hello").version("1.0");
  svc.option("greeting", "Hello", "what to say");

  svc.api("hello", [](bento::Context& ctx, std::string_view name) {
    return ctx.options().text("greeting") + ", " + std::string(name) + "!\n";
  });
}
