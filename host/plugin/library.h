// Library: a plugin's shared library, loaded. This room alone calls dlopen. The image stays mapped
// when a Library goes: dlclose of C++ code is where processes die (thread-locals, unique symbols,
// live threads).
#pragma once

#include <bento/abi.h>

#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace bentohost::plugin {

class Library {
 public:
  // check_elf_file, then dlopen(RTLD_NOW | RTLD_LOCAL) under one mutex, then the entry's ABI
  // version. FAILED_PRECONDITION for another ABI, with both versions and the way out. No plugin
  // function is called but the library's static constructors.
  static Result<Library> open(const std::string& path);

  const bento_plugin_entry& entry() const { return *entry_; }
  const std::string& path() const { return path_; }
  std::string built_with() const;

 private:
  Library(std::string path, const bento_plugin_entry* entry)
      : path_(std::move(path)), entry_(entry) {}
  std::string path_;
  const bento_plugin_entry* entry_;
};

// Of an entry alone, for the check above. OK when this host can load it.
Status check_entry(const bento_plugin_entry& entry);

// Calls entry.open. Errors are the plugin's own, behind "open failed: ".
Result<const bento_service*> open_service(const bento_plugin_entry& entry, const bento_host* host);

// Where a plugin named on the command line is. A name with a '/' is taken as it is; a bare name is
// looked for in each of `folders`, in order. NOT_FOUND lists them. The result is absolute.
Result<std::string> find_plugin(std::string_view name, const std::vector<std::string>& folders);

}  // namespace bentohost::plugin
