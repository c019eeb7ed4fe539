// The state of a file, and copying and comparing the bytes of files. Any thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace bentohost::plugin {

// A file's identity and state, cheap to read. While the stamp is the same, so is the content.
struct FileStamp {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t modified_ns = 0, changed_ns = 0;  // by the wall clock
  bool operator==(const FileStamp&) const = default;
};
Result<FileStamp> file_stamp(const std::string& path);
Result<FileStamp> file_stamp(int fd);

// Appends all bytes of `from`, from its start, to `to`. Reads and writes if the kernel does not
// copy them itself, for any reason. RESOURCE_EXHAUSTED if there is no room.
Status copy_bytes(int from, int to);

// Whether two files have the same bytes. An error if either cannot be read.
Result<bool> same_bytes(const std::string& one, const std::string& other);

// errno, about `what`, as a Status: NOT_FOUND, RESOURCE_EXHAUSTED, PERMISSION_DENIED or
// UNAVAILABLE.
Status file_error(const std::string& what);

}  // namespace bentohost::plugin
