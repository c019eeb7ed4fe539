// Variables of binding STB_GNU_UNIQUE, which g++ makes of static variables in templates and inline
// functions unless told otherwise. All libraries of a process share the first one of a name that
// was used, and the loader never unloads it. A new generation of a plugin would use the old one's
// variables.
#pragma once

#include <string>

#include "base/status.h"
#include "plugin/brought_libraries.h"
#include "plugin/elf_facts.h"

namespace bentohost::plugin {

// Call before a plugin is loaded. FAILED_PRECONDITION names the variables, as in the source, that
// it would share with a library loaded before, and the compiler flag that helps. Sharing constants
// with the same bytes is harmless and allowed. Any thread.
Status check_unique_symbols(const ElfFacts& plugin, const Brought& brought);

// Call after the plugin was loaded. `path` is the path that people know. Any thread.
void note_unique_symbols(const std::string& path, const ElfFacts& plugin, const Brought& brought);

// "Counter<int>::calls" for _ZN7CounterIiE5callsE; other names as they are.
std::string demangled(const std::string& symbol);

}  // namespace bentohost::plugin
