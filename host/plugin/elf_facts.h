// Facts about a library's file, apart from its code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bentohost::plugin {

// A variable of binding STB_GNU_UNIQUE: all libraries of a process share the first one of its name,
// even if their own ones differ.
struct UniqueSymbol {
  std::string name;           // the linker's name for it
  std::uint64_t size = 0;     // in bytes
  bool is_constant = false;   // neither code nor the loader can write to it
  std::uint64_t content = 0;  // a hash of a constant's bytes
};

struct ElfFacts {
  std::string build_id;                      // in hex; empty: linked without one
  std::vector<std::string> needed;           // DT_NEEDED, in order
  std::string runpath, rpath;                // DT_RUNPATH, and the older DT_RPATH
  bool is_nodelete = false;                  // -z nodelete
  std::vector<UniqueSymbol> unique_symbols;  // defined and used by the library
  bool has_thread_exits = false;             // it has thread_locals with destructors
};

// For a file that passes check_elf_file(); empty for any other.
ElfFacts elf_facts(const std::string& path);

}  // namespace bentohost::plugin
