// The libraries that a plugin brings along: those that the dynamic loader would find, by the rules
// of ld.so(8), if the plugin were loaded from where its author put it. A copy elsewhere must see
// the same files relative to $ORIGIN. Reads files, and keeps no state.
#pragma once

#include <string>
#include <vector>

#include "plugin/elf_facts.h"

namespace bentohost::plugin {

struct BroughtLibrary {
  std::string name;    // its name in DT_NEEDED
  std::string source;  // its file
  // Its absolute path as the loader makes it from $ORIGIN, without "..", symbolic links kept. "" if
  // the path does not begin with $ORIGIN: a copy finds the same file.
  std::string place;
  ElfFacts facts;
};

struct BroughtFolder {
  std::string source, place;  // as above
};

struct Brought {
  std::string place;                      // of the plugin itself
  std::vector<BroughtLibrary> libraries;  // direct and indirect needs; not the system's
  // Folders with such libraries, or searched for them: the plugin's own, and those that its RPATH
  // or RUNPATH, or that of a library with a `place`, names by $ORIGIN. Each `place` once.
  std::vector<BroughtFolder> folders;
};

// `path` is absolute. Uses LD_LIBRARY_PATH as the loader does. Libraries found in none of these
// folders are left to the system's folders.
Brought find_brought(const std::string& path, const ElfFacts& facts);

}  // namespace bentohost::plugin
