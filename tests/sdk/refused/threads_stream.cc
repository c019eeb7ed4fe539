// says: would hold up the event loop
#include <bento/bento.hpp>

using namespace std::chrono_literals;

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.api("a", [](bento::Stream& stream) -> bento::Async<> {
    stream.send("a");
    co_return;
  });
}
