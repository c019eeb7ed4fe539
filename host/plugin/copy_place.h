// CopyPlace: a folder, mode 0700, for this process's files, from which code can be mapped; by
// default in one of the system's cache, runtime or temporary folders. A killed process cannot
// remove its folder; the next process that starts or ends there does. If a cleaner of temporary
// files removes the folder, a new one is made.
#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/status.h"
#include "base/unique_fd.h"

namespace bentohost::plugin {

class CopyPlace {
 public:
  // Makes the folder below `parent`; "" means the first usable one of $CACHE_DIRECTORY,
  // $RUNTIME_DIRECTORY, $XDG_RUNTIME_DIR, $TMPDIR, /tmp and /var/tmp: one mounted noexec is not.
  // Removes the folders that dead processes left there. Errors name the folder, what is wrong with
  // it, and the way out.
  static Result<std::shared_ptr<CopyPlace>> create(const std::string& parent);
  ~CopyPlace() { remove(); }
  CopyPlace(const CopyPlace&) = delete;
  CopyPlace& operator=(const CopyPlace&) = delete;

  // Hold it while calling path() and ensure(), and while working in the folder.
  Mutex& mutex() const BENTO_RETURN_CAPABILITY(mutex_) { return mutex_; }
  const std::string& path() const BENTO_REQUIRES(mutex_) { return path_; }
  // Makes the folder anew, perhaps at another path, if it was removed.
  Status ensure() BENTO_REQUIRES(mutex_);

  // Any thread, without holding the mutex. Final: the folder is not made anew.
  void remove() BENTO_EXCLUDES(mutex_);

 private:
  explicit CopyPlace(std::string parent) : parent_(std::move(parent)) {}
  Status make() BENTO_REQUIRES(mutex_);
  Status make_below(const std::string& parent) BENTO_REQUIRES(mutex_);
  bool is_there() const BENTO_REQUIRES(mutex_);

  const std::string parent_;  // as passed to create()
  mutable Mutex mutex_;
  std::string path_ BENTO_GUARDED_BY(mutex_);
  UniqueFd lock_ BENTO_GUARDED_BY(mutex_);  // held while the process lives
  // Locked as well: systemd-tmpfiles leaves such a folder alone.
  UniqueFd folder_ BENTO_GUARDED_BY(mutex_);
  bool is_over_ BENTO_GUARDED_BY(mutex_) = false;
};

}  // namespace bentohost::plugin
