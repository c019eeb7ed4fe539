// Library: a plugin's shared library, loaded. This room alone calls dlopen. The image stays mapped
// when a Library goes, unless it is asked to be unmapped: dlclose of C++ code is where processes
// die (thread-locals, unique symbols, live threads).
#pragma once

#include <bento/abi.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "plugin/plugin_file.h"

namespace bentohost::plugin {

class Library {
 public:
  // check_elf_file, then dlopen(RTLD_NOW | RTLD_LOCAL) under one mutex, then check_entry. Errors
  // begin with the file's path. No plugin function is called but the library's static constructors.
  static Result<Library> open(const PluginFile& file);
  // The same without check_entry: of the entry nothing may be used but what that looks at.
  static Result<Library> map(const PluginFile& file);

  const bento_plugin_entry& entry() const { return *entry_; }

  // dlclose, after the last call into it. OK when nothing of it is mapped any more; else
  // FAILED_PRECONDITION with the reason, and it stays. A library with a thread of its own, or one
  // whose thread-locals some thread still has to destroy, is left alone: closing it would crash.
  Status unmap();
  // The other end: it stays mapped, and gives back the memory of what can be read from its file
  // again, which is nearly all of it. Calls go on to work.
  void drop_clean_pages() const;

 private:
  Library(PluginFile file, void* handle, const bento_plugin_entry* entry)
      : file_(std::move(file)), handle_(handle), entry_(entry) {}
  PluginFile file_;
  void* handle_;
  const bento_plugin_entry* entry_;
};

// Of an entry alone. OK when this host can load it, whatever its minor: structs only grow, and only
// what both sides know is read. FAILED_PRECONDITION for another major, with both versions and the
// way out.
Status check_entry(const bento_plugin_entry& entry);

// Calls entry.open. Errors are the plugin's own, behind "open failed: ".
Result<const bento_service*> open_service(const bento_plugin_entry& entry, const bento_host* host);

// Where a plugin named on the command line is. A name with a '/' is taken as it is; a bare name,
// "libiris.so" or "iris" for short, is looked for in each of `folders`, in order. NOT_FOUND lists
// them. The result is absolute.
Result<std::string> find_plugin(std::string_view name, const std::vector<std::string>& folders);

}  // namespace bentohost::plugin
