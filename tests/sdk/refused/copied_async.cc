// says: deleted
#include <bento/bento.hpp>

using namespace std::chrono_literals;

bento::Async<> other() { co_return; }

bento::Async<> wait() {
  auto once = other();
  auto twice = once;
  co_await twice;
}
