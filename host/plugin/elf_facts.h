// What a library's file says of itself beside its code.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace bentohost::plugin {

// A variable of binding STB_GNU_UNIQUE: the loader gives all libraries of a process the first one
// of its name, whatever their own are like.
struct UniqueSymbol {
  std::string name;           // as the linker knows it
  std::uint64_t size = 0;     // in bytes
  bool is_constant = false;   // nothing can write to it, not even the loader
  std::uint64_t content = 0;  // a hash of a constant's bytes
};

struct ElfFacts {
  std::string build_id;                      // in hex; empty: it was linked without
  std::vector<std::string> needed;           // DT_NEEDED, in order
  std::string runpath, rpath;                // DT_RUNPATH, and the older DT_RPATH
  bool is_nodelete = false;                  // -z nodelete
  std::vector<UniqueSymbol> unique_symbols;  // defined in it, and used by it
  bool has_thread_exits = false;             // its thread_locals have destructors
};

// Of a file that check_elf_file() passes; of any other they are empty.
ElfFacts elf_facts(const std::string& path);

}  // namespace bentohost::plugin
