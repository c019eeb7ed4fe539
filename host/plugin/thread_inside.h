// Detects threads, other than the host's, in a library's code, which must then stay mapped.
#pragma once

#include <sys/types.h>

#include <string>

namespace bentohost::plugin {

// The id of such a thread, or 0. `image` is the name that the library was loaded by. A thread
// counts if an address of the library's code is on its stack, or in doubt: if its stack cannot be
// read because it never stops running.
pid_t thread_inside(const std::string& image);

}  // namespace bentohost::plugin
