// says: unused-result|nodiscard
#include <bento/bento.hpp>

using namespace std::chrono_literals;

bento::Async<> other() { co_return; }

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.api("a", [](std::string_view) -> bento::Async<std::string> {
    other();
    co_return "";
  });
}
