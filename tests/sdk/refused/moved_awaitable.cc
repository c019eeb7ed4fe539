// says: deleted
#include <bento/bento.hpp>

using namespace std::chrono_literals;

bento::Async<> wait(bento::Context& ctx) {
  auto sleep = bento::sleep(ctx, 1s);
  auto moved = std::move(sleep);
  co_await moved;
}
