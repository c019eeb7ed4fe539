// Keeps track of the loaded libraries that plugins brought. The dynamic loader knows a library by
// its name (SONAME) and reuses a loaded one of that name from any folder. So a new generation of a
// plugin would run with the old one's helper, and a plugin with another plugin's.
#pragma once

#include <string>

#include "base/status.h"
#include "plugin/brought_libraries.h"
#include "plugin/private_copy.h"

namespace bentohost::plugin {

// Call before a plugin is loaded. FAILED_PRECONDITION if the plugin would get a library with other
// bytes than its own; names it, and the ways out. If this program itself is linked with that
// library, logs only a warning: system libraries are made to replace each other. Any thread.
Status check_helper_libraries(const Brought& brought);

// Call after the plugin was loaded from `copy`: remembers its libraries' files. Any thread.
void note_helper_libraries(const std::string& plugin, const Brought& brought,
                           const PrivateCopy& copy);

}  // namespace bentohost::plugin
