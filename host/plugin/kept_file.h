// KeptFile: a copy of a file whose bytes a descriptor keeps, whatever happens to the paths where it
// was put, which cleaners of temporary files may remove.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::plugin {

class KeptFile {
 public:
  // Copies the file of the descriptor `from` to a new file `at`. Errors as in copy_bytes().
  static Result<std::shared_ptr<KeptFile>> make(int from, const std::string& at);

  // Puts the file at this path, if missing, as a hard link or else as another copy. Any thread.
  Status put(const std::string& at);
  // A path for this process alone to read the file by, while the object lives.
  std::string readable() const { return "/proc/self/fd/" + std::to_string(fd_.get()); }

 private:
  KeptFile(UniqueFd fd, std::string at, std::uint64_t device, std::uint64_t inode)
      : fd_(std::move(fd)), written_to_(std::move(at)), device_(device), inode_(inode) {}
  bool is_at(const std::string& path) const BENTO_REQUIRES(mutex_);

  const UniqueFd fd_;
  Mutex mutex_;
  // The copy that was written last; fd_ may be open on an earlier one.
  std::string written_to_ BENTO_GUARDED_BY(mutex_);
  std::uint64_t device_ BENTO_GUARDED_BY(mutex_), inode_ BENTO_GUARDED_BY(mutex_);
};
using KeptFilePtr = std::shared_ptr<KeptFile>;

}  // namespace bentohost::plugin
