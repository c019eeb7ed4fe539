// The libraries that plugins bring with them, once they are loaded. The dynamic loader knows a
// library by its name (SONAME) and gives whoever needs it the one that is loaded already, from
// whichever folder: a new generation of a plugin would run with the old one's helper, and a plugin
// with that of another.
#pragma once

#include <string>

#include "base/status.h"
#include "plugin/brought_libraries.h"
#include "plugin/private_copy.h"

namespace bentohost::plugin {

// Before a plugin is loaded: FAILED_PRECONDITION names a library of which it would get another,
// with other bytes, and the ways out. Where the other is one that this program itself was linked
// with, it is a warning in the log: those are the system's, made to replace each other. Any thread.
Status check_helper_libraries(const Brought& brought);

// After it has been loaded, from `copy`: remembers which files its libraries are. Any thread.
void note_helper_libraries(const std::string& plugin, const Brought& brought,
                           const PrivateCopy& copy);

}  // namespace bentohost::plugin
