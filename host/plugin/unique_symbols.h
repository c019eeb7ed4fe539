// Variables of binding STB_GNU_UNIQUE, which g++ makes of static variables in templates and inline
// functions unless told otherwise: the loader gives every library of a process the first one of a
// name that any of them has used, and never lets go of it. A new generation of a plugin would go on
// with the old one's.
#pragma once

#include <string>

#include "base/status.h"
#include "plugin/brought_libraries.h"
#include "plugin/elf_facts.h"

namespace bentohost::plugin {

// Before a plugin is loaded: FAILED_PRECONDITION names, as in the source, the variables that would
// be those of a library that was loaded before, and the compiler's flag that helps. Constants of
// the same bytes are no matter: it is the same, whoever's they are. Any thread.
Status check_unique_symbols(const ElfFacts& plugin, const Brought& brought);

// After it has been loaded. `path` is what people call it. Any thread.
void note_unique_symbols(const std::string& path, const ElfFacts& plugin, const Brought& brought);

// "Counter<int>::calls" for _ZN7CounterIiE5callsE; other names as they are.
std::string demangled(const std::string& symbol);

}  // namespace bentohost::plugin
