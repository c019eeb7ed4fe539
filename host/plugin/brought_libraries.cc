#include "plugin/brought_libraries.h"

#include <elf.h>
#include <sys/auxv.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <string_view>
#include <system_error>
#include <utility>

namespace bentohost::plugin {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxLibraries = 512;
constexpr std::size_t kMaxFolders = 64;

#if defined(__x86_64__)
constexpr std::string_view kMultiarch = "lib/x86_64-linux-gnu";
#else
constexpr std::string_view kMultiarch = "lib/aarch64-linux-gnu";
#endif

// A library, or a folder to search for one. `place` is empty if the path has no $ORIGIN.
struct Spot {
  std::string source, place;
};

// A library to examine. The chain of `loader` tells whose RPATHs count.
struct Node {
  Spot folder;
  const ElfFacts* facts;
  const Node* loader;
};

std::string normal(const std::string& path) { return fs::path(path).lexically_normal().string(); }

Spot folder_of(const Spot& file) {
  const auto cut = [](const std::string& path) { return path.substr(0, path.rfind('/')); };
  return {cut(file.source), cut(file.place)};
}

// Takes "$NAME" or "${NAME}" from the front of `text`.
bool take_token(std::string_view& text, std::string_view name) {
  const bool is_braced = text.starts_with("${");
  if (!is_braced && !text.starts_with('$')) return false;
  std::string_view rest = text.substr(is_braced ? 2 : 1);
  if (!rest.starts_with(name)) return false;
  rest.remove_prefix(name.size());
  if (is_braced && !rest.starts_with('}')) return false;
  text = rest.substr(is_braced ? 1 : 0);
  return true;
}

void replace_all(std::string& text, std::string_view name, std::string_view by) {
  for (std::size_t at = 0; (at = text.find('$', at)) != std::string::npos;) {
    std::string_view rest = std::string_view(text).substr(at);
    const std::size_t before = rest.size();
    if (take_token(rest, name)) text.replace(at, before - rest.size(), by);
    ++at;
  }
}

// Expands a path in RPATH, RUNPATH or DT_NEEDED for a library in `folder`. $LIB is one of several
// names, depending on how the loader was built.
std::vector<Spot> expand(std::string_view path, const Spot& folder) {
  const bool is_by_origin = take_token(path, "ORIGIN");
  const auto* platform = reinterpret_cast<const char*>(::getauxval(AT_PLATFORM));
  std::vector<Spot> all;
  for (const std::string_view lib :
       {kMultiarch, std::string_view("lib64"), std::string_view("lib")}) {
    std::string text(path);
    replace_all(text, "ORIGIN", folder.source);
    replace_all(text, "LIB", lib);
    replace_all(text, "PLATFORM", platform != nullptr ? platform : "");
    Spot spot{is_by_origin ? folder.source + text : text, {}};
    if (is_by_origin && !folder.place.empty()) {
      spot.place = normal(folder.place + text);
      if (spot.place.size() > 1 && spot.place.back() == '/') spot.place.pop_back();
    }
    // Other paths are relative to the working directory, so a copy finds the same files.
    if (spot.source.starts_with('/')) all.push_back(std::move(spot));
    if (path.find('$') == std::string_view::npos) break;
  }
  return all;
}

void append_expanded(std::vector<Spot>& to, std::string_view list, const Spot& folder) {
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(":;"), list.size());
    for (Spot& spot : expand(list.substr(0, end), folder)) to.push_back(std::move(spot));
    list.remove_prefix(std::min(end + 1, list.size()));
  }
}

// The folders in the loader's order. First RPATH, of the library and of the libraries that needed
// it; a library with a RUNPATH has none. Then LD_LIBRARY_PATH, then RUNPATH.
std::vector<Spot> searched_by(const Node& node) {
  std::vector<Spot> all;
  for (const Node* at = &node; at != nullptr && node.facts->runpath.empty(); at = at->loader) {
    if (at->facts->runpath.empty()) append_expanded(all, at->facts->rpath, at->folder);
  }
  if (const char* list = std::getenv("LD_LIBRARY_PATH")) append_expanded(all, list, Spot{});
  append_expanded(all, node.facts->runpath, node.folder);
  return all;
}

// The loader skips files that are built for other machines.
bool is_loadable(const std::string& path) {
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return false;
  Elf64_Ehdr header{};
  std::ifstream file(path, std::ios::binary);
  if (!file.read(reinterpret_cast<char*>(&header), sizeof header)) return false;
#if defined(__x86_64__)
  constexpr Elf64_Half kMachine = EM_X86_64;
#else
  constexpr Elf64_Half kMachine = EM_AARCH64;
#endif
  return std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
         header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_machine == kMachine;
}

std::optional<Spot> find(const std::string& name, const Node& node,
                         const std::vector<Spot>& searched) {
  std::vector<Spot> candidates;
  if (name.find('/') != std::string::npos) {  // not searched for
    candidates = expand(name, node.folder);
  } else {
    for (const Spot& folder : searched) {
      candidates.push_back({folder.source + "/" + name, folder.place.empty()
                                                            ? std::string()
                                                            : normal(folder.place + "/" + name)});
    }
  }
  for (Spot& candidate : candidates) {
    if (is_loadable(candidate.source)) return std::move(candidate);
  }
  return std::nullopt;
}

void add_folder(Brought& brought, Spot folder) {
  if (folder.place.empty() || brought.folders.size() >= kMaxFolders) return;
  const bool is_there = std::any_of(brought.folders.begin(), brought.folders.end(),
                                    [&](const auto& one) { return one.place == folder.place; });
  std::error_code ignored;
  if (is_there || !fs::is_directory(folder.source, ignored)) return;
  brought.folders.push_back({std::move(folder.source), std::move(folder.place)});
}

}  // namespace

Brought find_brought(const std::string& path, const ElfFacts& facts) {
  const Spot plugin{path, normal(path)};
  Brought brought;
  brought.place = plugin.place;
  brought.libraries.reserve(kMaxLibraries);  // nodes point into it
  std::vector<Node> nodes;
  nodes.reserve(kMaxLibraries + 1);
  nodes.push_back({folder_of(plugin), &facts, nullptr});
  std::set<std::string> seen;
  // Breadth first, like the loader: the first library of a name serves all.
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    const std::vector<Spot> searched = searched_by(node);
    if (!node.folder.place.empty()) {
      add_folder(brought, node.folder);
      for (const Spot& folder : searched) add_folder(brought, folder);
    }
    for (const std::string& name : node.facts->needed) {
      if (nodes.size() > kMaxLibraries || !seen.insert(name).second) continue;
      const auto found = find(name, node, searched);
      if (!found) continue;
      brought.libraries.push_back({name, found->source, found->place, elf_facts(found->source)});
      nodes.push_back({folder_of(*found), &brought.libraries.back().facts, &node});
    }
  }
  return brought;
}

}  // namespace bentohost::plugin
