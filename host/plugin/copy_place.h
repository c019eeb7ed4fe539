// CopyPlace: a folder for files of this process alone, mode 0700, below the system's folder for
// such things, from which code can be mapped. A process that is killed cannot remove its own; the
// next one that starts or ends there does. A cleaner of temporary files may remove it: then there
// is another.
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::plugin {

class CopyPlace {
 public:
  // Below `parent`; "" means the first of $CACHE_DIRECTORY, $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR,
  // $TMPDIR, /tmp and /var/tmp that will do: not one that is mounted noexec. Removes what processes
  // have left there that are no more. Errors name the folder, what is wrong with it, and the way
  // out.
  static Result<std::shared_ptr<CopyPlace>> create(const std::string& parent);
  ~CopyPlace() { remove(); }
  CopyPlace(const CopyPlace&) = delete;
  CopyPlace& operator=(const CopyPlace&) = delete;

  // Its holder may call the two functions that follow, and work in the folder.
  Mutex& mutex() const BENTO_RETURN_CAPABILITY(mutex_) { return mutex_; }
  const std::string& path() const BENTO_REQUIRES(mutex_) { return path_; }
  // That it is there: made anew, perhaps by another path, if it was removed.
  Status ensure() BENTO_REQUIRES(mutex_);

  // Any thread. For good: it is not made anew.
  void remove() BENTO_EXCLUDES(mutex_);

 private:
  explicit CopyPlace(std::string parent) : parent_(std::move(parent)) {}
  Status make() BENTO_REQUIRES(mutex_);
  Status make_below(const std::string& parent) BENTO_REQUIRES(mutex_);
  bool is_there() const BENTO_REQUIRES(mutex_);

  const std::string parent_;  // as it was asked for
  mutable Mutex mutex_;
  std::string path_ BENTO_GUARDED_BY(mutex_);
  UniqueFd lock_ BENTO_GUARDED_BY(mutex_);  // held while the process lives
  // Locked as well: systemd-tmpfiles leaves such a folder alone.
  UniqueFd folder_ BENTO_GUARDED_BY(mutex_);
  bool is_over_ BENTO_GUARDED_BY(mutex_) = false;
};

}  // namespace bentohost::plugin
