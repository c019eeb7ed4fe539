// Private copies of plugins' files. What is loaded is never the file that its author builds: that
// may be overwritten in place, which is a SIGBUS in whoever has it mapped, and dlopen of a path
// that is loaded already gives the old code.
//
// The copies are in a folder of this process alone, mode 0700, below the system's folder for such
// things. A process that is killed cannot remove its own; the next one that starts or ends there
// does.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::plugin {

// A copy that is removed when its owner goes; what is mapped of it stays mapped.
class PrivateCopy {
 public:
  explicit PrivateCopy(std::string path) : path_(std::move(path)) {}
  ~PrivateCopy();
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};
using PrivateCopyPtr = std::shared_ptr<const PrivateCopy>;

class CopyFolder {
 public:
  // Below `parent`; "" means $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR, $TMPDIR or /tmp, the first that
  // is set. Removes what processes have left there that are no more. Errors name the folder.
  static Result<std::unique_ptr<CopyFolder>> create(const std::string& parent);
  ~CopyFolder();
  CopyFolder(const CopyFolder&) = delete;
  CopyFolder& operator=(const CopyFolder&) = delete;

  const std::string& path() const { return path_; }

  // A file's identity and state, cheap to ask for: while it is the same, so is the content.
  struct Stamp {
    std::uint64_t device = 0, inode = 0, size = 0;
    std::int64_t modified_ns = 0, changed_ns = 0;
    bool operator==(const Stamp&) const = default;
  };
  static Result<Stamp> stamp(const std::string& path);

  // A copy of `path` under a name of its own. Waits until the file has been left alone for `quiet`
  // (by its size and times), but no longer than `longest`: then UNAVAILABLE. `stamp` becomes what
  // was copied. RESOURCE_EXHAUSTED when there is no room for it. One thread at a time.
  Result<PrivateCopyPtr> copy(const std::string& path, Duration quiet, Duration longest,
                              Stamp& stamp);

 private:
  CopyFolder(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}

  std::string path_;
  UniqueFd lock_;  // held while the process lives
  std::uint64_t next_ = 1;
};

// Whether two files have the same bytes. An error when either cannot be read.
Result<bool> same_bytes(const std::string& one, const std::string& other);

}  // namespace bentohost::plugin
