#include "plugin/library.h"

#include <dlfcn.h>

#include <cstddef>
#include <filesystem>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/process/clean_pages.h"
#include "base/process/code_names.h"
#include "plugin/check_struct.h"
#include "plugin/elf_check.h"
#include "plugin/elf_facts.h"
#include "plugin/private_copy.h"
#include "plugin/thread_inside.h"
#include "plugin/unique_symbols.h"

namespace bentohost::plugin {
namespace {

std::string version_text(unsigned major, unsigned minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

std::string built_with_text(const bento_plugin_entry& entry) {
  if (!BENTO_HAS(&entry, built_with) || entry.built_with == nullptr) return "unknown";
  return entry.built_with;
}

// One dlopen or dlclose at a time: plugins' static constructors and destructors are not made for
// concurrent calls.
Mutex& loader_mutex() {
  static Mutex mutex;
  return mutex;
}

}  // namespace

Status check_entry(const bento_plugin_entry& entry) {
  constexpr std::size_t kSmallest = offsetof(bento_plugin_entry, built_with);
  if (entry.size < kSmallest) {
    return Status(
        BENTO_FAILED_PRECONDITION,
        "its bento_entry has size " + std::to_string(entry.size) + ": not a plugin entry");
  }
  if (entry.abi_major != BENTO_ABI_MAJOR) {
    return Status(BENTO_FAILED_PRECONDITION,
                  "built for plugin ABI " + version_text(entry.abi_major, entry.abi_minor) + " (" +
                      built_with_text(entry) + "), this bentohost speaks " +
                      version_text(BENTO_ABI_MAJOR, BENTO_ABI_MINOR) +
                      "; rebuild the plugin with this version's SDK, or use a matching bentohost");
  }
  if (entry.size < kFirstSize<bento_plugin_entry> || entry.open == nullptr ||
      entry.close == nullptr) {
    return Status(BENTO_FAILED_PRECONDITION, "its bento_entry lacks open or close");
  }
  return {};
}

Result<Library> Library::map(const PluginFile& file) {
  const auto context = file.path + ": ";
  if (Status status = check_elf_file(file.mapped()); !status.ok())
    return std::move(status).prefixed(context);

  const MutexLock lock(loader_mutex());
  remember_library(file.mapped(), file.path);
  void* handle = ::dlopen(file.mapped().c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    // dlerror() mostly begins with the name of the mapped file; people know the other name.
    std::string reason = ::dlerror();
    const std::string mapped = file.mapped() + ": ";
    if (reason.starts_with(mapped)) reason.erase(0, mapped.size());
    return Status(BENTO_FAILED_PRECONDITION, context + with_demangled_names(reason));
  }
  const auto* entry = static_cast<const bento_plugin_entry*>(::dlsym(handle, "bento_entry"));
  if (entry == nullptr) {
    return Status(BENTO_FAILED_PRECONDITION,
                  context + "exports no bento_entry: not a bentohost plugin");
  }
  return Library(file, handle, entry);
}

Result<Library> Library::open(const PluginFile& file) {
  auto library = map(file);
  if (!library.ok()) return library;
  if (Status status = check_entry((*library).entry()); !status.ok()) {
    return std::move(status).prefixed(file.path + ": ");
  }
  return library;
}

Status Library::unmap() {
  const auto stays = [this](const std::string& why) {
    return Status(BENTO_FAILED_PRECONDITION, file_.path + " stays mapped: " + why);
  };
  const ElfFacts facts = elf_facts(file_.copy != nullptr ? file_.copy->readable() : file_.mapped());
  if (facts.is_nodelete) return stays("it is linked with -z nodelete");
  if (!facts.unique_symbols.empty()) {
    return stays("it has unique symbols, such as " + demangled(facts.unique_symbols.front().name) +
                 "; build it with -fno-gnu-unique");
  }
  if (const int thread = thread_inside(file_.mapped()); thread != 0) {
    return stays("thread " + std::to_string(thread) +
                 " runs its code; destroy() must join what the plugin has started");
  }
  const MutexLock lock(loader_mutex());
  ::dlclose(std::exchange(handle_, nullptr));
  void* again = ::dlopen(file_.mapped().c_str(), RTLD_NOW | RTLD_NOLOAD);
  if (again == nullptr) return {};
  ::dlclose(again);
  return stays(facts.has_thread_exits
                   ? "a running thread still has to destroy its thread_local objects"
                   : "another library needs it");
}

void Library::drop_clean_pages() const {
  const std::string image = file_.mapped();
  bentohost::drop_clean_pages(&image);
}

Result<const bento_service*> open_service(const bento_plugin_entry& entry, const bento_host* host) {
  bento_error error{};
  error.size = sizeof error;
  const bento_service* service = entry.open(host, &error);
  if (service != nullptr) return service;
  // A null service without an error code is a failure, too.
  const bento_code code = error.code != BENTO_OK ? error.code : BENTO_UNKNOWN;
  return Status::from_plugin(code, error).prefixed("open failed: ");
}

// Bounds the list of available plugins in a message.
constexpr std::size_t kLongestList = 1000;

Result<std::string> find_plugin(std::string_view name, const std::vector<std::string>& folders) {
  namespace fs = std::filesystem;
  std::error_code ignored;
  if (name.find('/') != std::string_view::npos) {
    const fs::path path = fs::absolute(fs::path(name), ignored).lexically_normal();
    if (fs::exists(path, ignored)) return path.string();
    return Status(BENTO_NOT_FOUND, std::string(name) + ": no such file");
  }
  std::vector<std::string> files = {std::string(name)};
  if (!name.ends_with(".so")) files.push_back("lib" + files[0] + ".so");
  std::string tried;
  std::set<std::string> others;
  for (const std::string& folder : folders) {
    if (folder.empty()) continue;
    for (const std::string& file : files) {
      const fs::path path = fs::absolute(fs::path(folder) / file, ignored).lexically_normal();
      if (fs::exists(path, ignored) && !fs::is_directory(path, ignored)) return path.string();
    }
    tried += (tried.empty() ? "" : ", ") + folder;
    for (fs::directory_iterator file(folder, ignored), end; file != end; file.increment(ignored)) {
      const std::string other = file->path().filename().string();
      if (other.starts_with("lib") && other.ends_with(".so")) others.insert(other);
    }
  }
  std::string there;
  for (const std::string& other : others) {
    there += there.empty() ? "; there are " : ", ";
    if (there.size() > kLongestList) {
      there += "...";
      break;
    }
    there += other;
  }
  return Status(BENTO_NOT_FOUND, "plugin " + files.back() + " is not in " + tried + there +
                                     "; give a path (./" + files.back() +
                                     ") or set BENTOHOST_PLUGIN_PATH");
}

}  // namespace bentohost::plugin
