// The libraries that plugins bring with them. The dynamic loader knows a library by its name
// (SONAME) and gives whoever needs it the one that is loaded already: a new generation of a plugin
// would run with the old one's helper.
#pragma once

#include "base/status.h"
#include "plugin/elf_facts.h"

namespace bentohost::plugin {

// After a plugin has been loaded: remembers which files its helpers are, and their state. Those of
// the system are not the plugin's. Any thread.
void note_helper_libraries(const ElfFacts& facts);

// Before it is loaded again: FAILED_PRECONDITION names a helper whose file is no longer the one
// that is loaded, and the ways out.
Status check_helper_libraries(const ElfFacts& facts);

}  // namespace bentohost::plugin
