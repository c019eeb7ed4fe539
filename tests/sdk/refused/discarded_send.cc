// says: unused-result|nodiscard
#include <bento/bento.hpp>

using namespace std::chrono_literals;

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.api("a", [](bento::AsyncStream& stream) -> bento::Async<> {
    stream.send("a");
    co_return;
  });
}
