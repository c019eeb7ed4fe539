#include "plugin/unique_symbols.h"

#include <cxxabi.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "base/mutex.h"

namespace bentohost::plugin {
namespace {

constexpr std::size_t kNamed = 5;                  // names in one message
constexpr std::string_view kGuardPrefix = "_ZGV";  // "is it constructed"; listed after variables

struct Bound {
  UniqueSymbol symbol;
  std::string path;  // of its library
};

struct Known {
  Mutex mutex;
  std::map<std::string, Bound> by_name BENTO_GUARDED_BY(mutex);
};

Known& known() {
  static Known the_one;
  return the_one;
}

bool is_same_constant(const UniqueSymbol& a, const UniqueSymbol& b) {
  return a.is_constant && b.is_constant && a.size == b.size && a.content == b.content;
}

void note(Known& all, const std::string& path, const ElfFacts& facts) BENTO_REQUIRES(all.mutex) {
  for (const UniqueSymbol& symbol : facts.unique_symbols) {
    all.by_name.try_emplace(symbol.name, Bound{symbol, path});
  }
}

std::string named(std::vector<std::string> symbols) {
  std::stable_partition(symbols.begin(), symbols.end(),
                        [](const std::string& one) { return !one.starts_with(kGuardPrefix); });
  std::string text;
  for (std::size_t i = 0; i < std::min(symbols.size(), kNamed); ++i) {
    text += (i == 0 ? "" : ", ") + demangled(symbols[i]);
  }
  if (symbols.size() > kNamed) {
    text += " and " + std::to_string(symbols.size() - kNamed) + " more";
  }
  return text;
}

}  // namespace

Status check_unique_symbols(const ElfFacts& plugin, const Brought& brought) {
  std::vector<std::string> shared;
  std::string whose;
  Known& all = known();
  const MutexLock lock(all.mutex);
  const auto look_at = [&](const std::string& source, const ElfFacts& facts)
                           BENTO_REQUIRES(all.mutex) {
                             for (const UniqueSymbol& symbol : facts.unique_symbols) {
                               const auto bound = all.by_name.find(symbol.name);
                               if (bound == all.by_name.end() || bound->second.path == source)
                                 continue;
                               if (is_same_constant(bound->second.symbol, symbol)) continue;
                               if (shared.empty()) whose = bound->second.path;
                               shared.push_back(symbol.name);
                             }
                           };
  look_at({}, plugin);
  // A library that is already loaded is shared by both generations.
  for (const BroughtLibrary& library : brought.libraries) look_at(library.source, library.facts);
  if (shared.empty()) return {};
  return {BENTO_FAILED_PRECONDITION,
          "it has unique symbols (STB_GNU_UNIQUE), which all libraries of a process share, and "
          "would use the variables of " +
              whose + ", which was loaded before: " + named(std::move(shared)) +
              "; build it with -fno-gnu-unique, as bento_add_plugin() does, or restart bentohost"};
}

void note_unique_symbols(const std::string& path, const ElfFacts& plugin, const Brought& brought) {
  Known& all = known();
  const MutexLock lock(all.mutex);
  note(all, path, plugin);
  for (const BroughtLibrary& library : brought.libraries) note(all, library.source, library.facts);
}

std::string demangled(const std::string& symbol) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> name(
      abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, &status), &std::free);
  return status == 0 && name != nullptr ? name.get() : symbol;
}

}  // namespace bentohost::plugin
