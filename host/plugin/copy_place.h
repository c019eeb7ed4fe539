// CopyPlace: a folder for files of this process alone, mode 0700, below the system's folder for
// such things, from which code can be mapped. A process that is killed cannot remove its own; the
// next one that starts or ends there does. A cleaner of temporary files may remove it: then there
// is another.
#pragma once

#include <memory>
#include <mutex>
#include <string>

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

  // Held by who calls what follows, and while he works in the folder.
  std::mutex& mutex() const { return mutex_; }
  const std::string& path() const { return path_; }
  // That it is there: made anew, perhaps by another path, if it was removed.
  Status ensure();

  // Any thread, without the mutex. For good: it is not made anew.
  void remove();

 private:
  explicit CopyPlace(std::string parent) : parent_(std::move(parent)) {}
  Status make();
  Status make_below(const std::string& parent);
  bool is_there() const;

  const std::string parent_;  // as it was asked for
  mutable std::mutex mutex_;
  std::string path_;
  UniqueFd lock_;    // held while the process lives
  UniqueFd folder_;  // locked as well: systemd-tmpfiles leaves such a folder alone
  bool is_over_ = false;
};

}  // namespace bentohost::plugin
