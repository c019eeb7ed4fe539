// Library: a plugin's shared library, loaded. This room alone calls dlopen. The image stays mapped
// when a Library is destroyed, unless unmap() is called: dlclose of C++ code is where processes die
// (thread-locals, unique symbols, live threads).
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
  // begin with the file's path. Calls no plugin code except the library's static constructors.
  static Result<Library> open(const PluginFile& file);
  // The same without check_entry: use only those fields of the entry that check_entry reads.
  static Result<Library> map(const PluginFile& file);

  const bento_plugin_entry& entry() const { return *entry_; }

  // dlclose, after the last call into the library. OK if nothing of it is mapped any more; else
  // FAILED_PRECONDITION with the reason. A library with a thread of its own, or whose thread-locals
  // some thread still has to destroy, stays mapped: closing it would crash.
  Status unmap();
  // The alternative: the library stays mapped, and its memory that can be read from the file again,
  // which is nearly all, is given back. Calls still work.
  void drop_clean_pages() const;

 private:
  Library(PluginFile file, void* handle, const bento_plugin_entry* entry)
      : file_(std::move(file)), handle_(handle), entry_(entry) {}
  PluginFile file_;
  void* handle_;
  const bento_plugin_entry* entry_;
};

// Looks at the entry alone. OK if this host can load it, whatever its minor version: structs only
// grow, and only fields that both sides know are read. FAILED_PRECONDITION for another major
// version, with both versions and the way out.
Status check_entry(const bento_plugin_entry& entry);

// Calls entry.open. Errors are "open failed: " and the plugin's own message.
Result<const bento_service*> open_service(const bento_plugin_entry& entry, const bento_host* host);

// Finds a plugin named on the command line. A name with a '/' is a path; a bare name, "libiris.so"
// or "iris" for short, is searched for in `folders`, in order. NOT_FOUND lists them. The result is
// absolute.
Result<std::string> find_plugin(std::string_view name, const std::vector<std::string>& folders);

}  // namespace bentohost::plugin
