#include "plugin/helper_libraries.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <string_view>
#include <system_error>

#include "plugin/private_copy.h"

namespace bentohost::plugin {
namespace {

struct Loaded {
  std::string path;
  std::string known_as;  // to people: what `path` is a link to, if it is one beside a copy
  CopyFolder::Stamp stamp;
};

struct Known {
  std::mutex mutex;
  std::map<std::string, Loaded> by_name;
};

Known& known() {
  static Known the_one;
  return the_one;
}

bool is_of_the_system(std::string_view path) {
  return path.starts_with("/lib") || path.starts_with("/usr/lib") || !path.starts_with("/");
}

std::string target_of(const std::string& path) {
  std::error_code is_no_link;
  const std::string target = std::filesystem::read_symlink(path, is_no_link);
  return target.starts_with("/") ? target : path;
}

// Where the library of this name is loaded from; "" when it is not loaded.
std::string loaded_path(const std::string& name) {
  void* handle = ::dlopen(name.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (handle == nullptr) return {};
  link_map* map = nullptr;
  std::string path;
  if (::dlinfo(handle, RTLD_DI_LINKMAP, &map) == 0 && map != nullptr) path = map->l_name;
  ::dlclose(handle);
  return path;
}

}  // namespace

void note_helper_libraries(const ElfFacts& facts) {
  std::lock_guard lock(known().mutex);
  for (const std::string& name : facts.needed) {
    if (known().by_name.contains(name)) continue;
    const std::string path = loaded_path(name);
    if (is_of_the_system(path)) continue;
    const auto stamp = CopyFolder::stamp(path);
    if (stamp.ok()) known().by_name[name] = {path, target_of(path), *stamp};
  }
}

Status check_helper_libraries(const ElfFacts& facts) {
  std::lock_guard lock(known().mutex);
  for (const std::string& name : facts.needed) {
    const auto loaded = known().by_name.find(name);
    if (loaded == known().by_name.end()) continue;
    const auto now = CopyFolder::stamp(loaded->second.path);
    if (now.ok() && *now == loaded->second.stamp) continue;
    return Status(
        BENTO_FAILED_PRECONDITION,
        "its library " + name + " (" + loaded->second.known_as +
            ") is another than the one that is loaded, and the loader would go on with "
            "the old one; link it statically, give it a new SONAME, or restart bentohost");
  }
  return {};
}

}  // namespace bentohost::plugin
