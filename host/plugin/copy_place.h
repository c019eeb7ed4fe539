// CopyPlace: a folder, mode 0700, for this process's files, from which code can be mapped; by
// default in one of the system's cache, runtime or temporary folders. A killed process cannot
// remove its folder; the next process that starts or ends there does. If a cleaner of temporary
// files removes the folder, a new one is made.
#pragma once

#include <memory>
#include <mutex>
#include <string>

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
  std::mutex& mutex() const { return mutex_; }
  const std::string& path() const { return path_; }
  // Makes the folder anew, perhaps at another path, if it was removed.
  Status ensure();

  // Any thread, without holding the mutex. Final: the folder is not made anew.
  void remove();

 private:
  explicit CopyPlace(std::string parent) : parent_(std::move(parent)) {}
  Status make();
  Status make_below(const std::string& parent);
  bool is_there() const;

  const std::string parent_;  // as passed to create()
  mutable std::mutex mutex_;
  std::string path_;
  UniqueFd lock_;    // held while the process lives
  UniqueFd folder_;  // locked as well: systemd-tmpfiles leaves such a folder alone
  bool is_over_ = false;
};

}  // namespace bentohost::plugin
