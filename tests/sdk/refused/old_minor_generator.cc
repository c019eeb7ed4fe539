#define BENTO_ABI_TARGET_MINOR 0
// says: BENTO_ABI_TARGET_MINOR 1
#include <bento/bento.hpp>

using namespace std::chrono_literals;

BENTO_SERVICE(svc) {
  svc.name("refused");
  svc.api("a", [](std::string text) -> bento::Generator<std::string> { co_yield text; });
}
