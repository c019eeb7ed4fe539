#include "plugin/helper_libraries.h"

#include <dlfcn.h>
#include <link.h>

#include <map>
#include <set>
#include <string_view>
#include <utility>

#include "base/log.h"
#include "base/mutex.h"
#include "plugin/file_copy.h"

namespace bentohost::plugin {
namespace {

// A plugin's library, as it was when it was loaded.
struct Loaded {
  std::string path;    // the loader's path for it
  std::string source;  // the path that people know
  std::string plugin;  // the plugin that it was loaded for
  FileStamp stamp;     // of the source
  KeptFilePtr copy;    // its bytes; null if it was not loaded from a copy
};

struct Known {
  Mutex mutex;
  std::map<std::string, Loaded> by_name BENTO_GUARDED_BY(mutex);
  std::set<std::string> programs_own;  // by path: loaded before the first plugin
};

int add_name(dl_phdr_info* info, std::size_t, void* names) {
  if (info->dlpi_name != nullptr)
    static_cast<std::set<std::string>*>(names)->insert(info->dlpi_name);
  return 0;
}

Known& known() {
  static Known the_one;
  static const bool is_filled = [] {
    ::dl_iterate_phdr(&add_name, &the_one.programs_own);
    return true;
  }();
  static_cast<void>(is_filled);
  return the_one;
}

// The path that the library of this name was loaded from; "" if it is not loaded.
std::string loaded_path(const std::string& name) {
  void* handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return {};
  link_map* map = nullptr;
  std::string path;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr) path = map->l_name;
  ::dlclose(handle);
  return path;
}

// Whether the loaded library has the bytes that are in `file` now. False in doubt.
bool is_same(const Loaded& loaded, const std::string& file) {
  const auto stamp = file_stamp(file);
  if (stamp.ok() && *stamp == loaded.stamp) return true;
  if (loaded.copy == nullptr) {
    const auto now = file_stamp(loaded.source);
    if (!now.ok() || *now != loaded.stamp) return false;  // it changed since
  }
  const auto same =
      same_bytes(loaded.copy != nullptr ? loaded.copy->readable() : loaded.source, file);
  return same.ok() && *same;
}

}  // namespace

Status check_helper_libraries(const Brought& brought) {
  Known& all = known();
  const MutexLock lock(all.mutex);
  for (const BroughtLibrary& library : brought.libraries) {
    const std::string path = loaded_path(library.name);
    if (path.empty()) continue;
    const std::string its = "its library " + library.name + " (" + library.source + ") is ";
    if (all.programs_own.contains(path)) {
      const auto same = same_bytes(path, library.source);
      if (same.ok() && *same) continue;
      log_warning(brought.place + ": " + its + "not used: bentohost itself has " + path +
                  " loaded, and a process has only one of each name");
      continue;
    }
    auto loaded = all.by_name.find(library.name);
    if (loaded == all.by_name.end() || loaded->second.path != path) {
      // Loaded by a plugin's own dlopen: only the file's present state is known.
      const auto stamp = file_stamp(path);
      Loaded found{path, path, {}, stamp.ok() ? *stamp : FileStamp(), nullptr};
      loaded = all.by_name.insert_or_assign(library.name, std::move(found)).first;
    }
    const Loaded& there = loaded->second;
    if (is_same(there, library.source)) continue;
    const bool is_anothers = !there.plugin.empty() && there.plugin != brought.place;
    return Status(
        BENTO_FAILED_PRECONDITION,
        its + "not the one of that name that is already loaded" +
            (there.source == library.source ? std::string() : ", " + there.source) +
            (is_anothers ? ", for " + there.plugin : std::string()) +
            ", and the loader would use that one; link it statically, give it a "
            "SONAME of its own, or " +
            (is_anothers ? "have another bentohost serve this plugin" : "restart bentohost"));
  }
  return {};
}

void note_helper_libraries(const std::string& plugin, const Brought& brought,
                           const PrivateCopy& copy) {
  Known& all = known();
  const MutexLock lock(all.mutex);
  for (const BroughtLibrary& library : brought.libraries) {
    const std::string path = loaded_path(library.name);
    if (path.empty() || all.programs_own.contains(path)) continue;
    const auto already = all.by_name.find(library.name);
    if (already != all.by_name.end() && already->second.path == path) continue;
    const auto stamp = file_stamp(library.source);
    if (!stamp.ok()) continue;
    all.by_name[library.name] = {path, library.source, plugin, *stamp, copy.library(library.place)};
  }
}

}  // namespace bentohost::plugin
