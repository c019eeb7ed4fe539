// Whether a thread that is not the host's runs a library's code: then that must stay mapped.
#pragma once

#include <sys/types.h>

#include <string>

namespace bentohost::plugin {

// The number of such a thread, or 0. `image` is the name that the library was loaded by. A thread
// counts when an address of the library's code is on its stack, or when that cannot be seen because
// it does not stop running: in doubt it is inside.
pid_t thread_inside(const std::string& image);

}  // namespace bentohost::plugin
