// Files on disk as values: what state one is in, its bytes in another. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace bentohost::plugin {

// A file's identity and state, cheap to ask for: while it is the same, so is the content.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  // by the wall clock
  bool operator==(const FileStamp&) const = default;
};
Result<FileStamp> file_stamp(const std::string& path);
Result<FileStamp> file_stamp(int fd);

// All bytes of `from`, from its start, to the end of `to`. By reading and writing where the kernel
// will not do it itself, for whatever reason. RESOURCE_EXHAUSTED when there is no room for them.
Status copy_bytes(int from, int to);

// Whether two files have the same bytes. An error when either cannot be read.
Result<bool> same_bytes(const std::string& one, const std::string& other);

// What errno says of `what`: NOT_FOUND, RESOURCE_EXHAUSTED, PERMISSION_DENIED or UNAVAILABLE.
Status file_error(const std::string& what);

}  // namespace bentohost::plugin
