// says: takes this by value
#include <bento/bento.hpp>

using namespace std::chrono_literals;

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.api("a", [](const std::string& text) -> bento::Generator<std::string> { co_yield text; });
}
