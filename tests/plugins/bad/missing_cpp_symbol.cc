// Needs a C++ function that nobody has.
#include <bento/abi.h>

int scale_of_nobody(double by);

namespace {
[[gnu::constructor]] void call() { scale_of_nobody(2); }
}  // namespace

extern "C" BENTO_EXPORT const bento_plugin_entry bento_entry{};
