// What a library's file says of itself beside its code.
#pragma once

#include <string>
#include <vector>

namespace bentohost::plugin {

struct ElfFacts {
  std::string build_id;             // in hex; empty: it was linked without
  std::vector<std::string> needed;  // DT_NEEDED, in order
  std::string runpath;              // DT_RUNPATH, or the older DT_RPATH
  bool is_nodelete = false;         // -z nodelete
  std::string unique_symbol;        // the first of binding STB_GNU_UNIQUE, if there is one
  bool has_thread_exits = false;    // its thread_locals have destructors
  bool has_text_relocations = false;
};

// Of a file that check_elf_file() passes; of any other they are empty.
ElfFacts elf_facts(const std::string& path);

}  // namespace bentohost::plugin
