// Which libraries a plugin brings along: what the dynamic loader would find for it, by the rules of
// ld.so(8), if the plugin were loaded from where its author put it. From $ORIGIN's point of view a
// copy elsewhere is to have the same around it. Reads files, and keeps nothing.
#pragma once

#include <string>
#include <vector>

#include "plugin/elf_facts.h"

namespace bentohost::plugin {

struct BroughtLibrary {
  std::string name;    // by which it is needed (DT_NEEDED)
  std::string source;  // its file
  // Its absolute path as the loader makes it from $ORIGIN, without "..", symbolic links kept; ""
  // when it is found by a path that does not begin with $ORIGIN, which is the same for a copy.
  std::string place;
  ElfFacts facts;
};

struct BroughtFolder {
  std::string source, place;  // as above
};

struct Brought {
  std::string place;                      // of the plugin itself
  std::vector<BroughtLibrary> libraries;  // what it needs, and what that needs; not the system's
  // Those that have one of them, or are searched for more: the plugin's own, and what its RPATH or
  // RUNPATH, or that of a library at a place, names by $ORIGIN. `place` is there once for each.
  std::vector<BroughtFolder> folders;
};

// `path` is absolute. LD_LIBRARY_PATH is heeded as the loader heeds it. What is not found in any
// folder that is named so is left to the system's folders.
Brought find_brought(const std::string& path, const ElfFacts& facts);

}  // namespace bentohost::plugin
