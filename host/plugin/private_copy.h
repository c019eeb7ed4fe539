// Private copies of plugins' files. The author's own file is never loaded: overwriting it in place
// causes SIGBUS in processes that have it mapped, and dlopen of a path that is already loaded
// returns the old code.
//
// Each copy has a folder of its own that looks like the original's: the libraries that the plugin
// brings (brought_libraries.h) are copies at the same places relative to $ORIGIN, and all other
// files in the folders that the loader or the plugin may search are symbolic links.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "plugin/brought_libraries.h"
#include "plugin/copy_place.h"
#include "plugin/file_copy.h"
#include "plugin/kept_file.h"

namespace bentohost::plugin {

// One copy. Its files are removed when it is destroyed; mapped files stay mapped. Any thread.
class PrivateCopy {
 public:
  ~PrivateCopy();
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;

  // The plugin's path; restore() may change it.
  std::string path() const;
  // Restores all files, as they were when the copy was made, for somebody about to load the plugin.
  // Returns its path, which differs if a cleaner of temporary files took the whole folder.
  Result<std::string> restore() const;
  // A path by which this process can read the plugin, even if path() was removed.
  std::string readable() const { return files_.front().file->readable(); }
  // The copy of the library whose original has this `place`; null if none has.
  KeptFilePtr library(const std::string& place) const;

 private:
  friend class CopyFolder;
  struct File {
    std::string at;     // in the folder
    std::string place;  // of the original
    KeptFilePtr file;
  };
  struct Link {
    std::string at, target;
  };

  PrivateCopy(std::shared_ptr<CopyPlace> place, std::uint64_t number)
      : place_(std::move(place)), number_(number) {}
  std::string root() const BENTO_REQUIRES(place_->mutex());  // of the copy
  Status restore_all() const BENTO_REQUIRES(place_->mutex());

  const std::shared_ptr<CopyPlace> place_;
  const std::uint64_t number_;
  // In the copy's folder. Constant once others have the copy.
  std::vector<std::string> folders_;
  std::vector<File> files_;  // the plugin first
  std::vector<Link> links_;
};
using PrivateCopyPtr = std::shared_ptr<const PrivateCopy>;

// All copies of this process. One thread at a time.
class CopyFolder {
 public:
  // `parent` and errors as in CopyPlace::create().
  static Result<std::unique_ptr<CopyFolder>> create(const std::string& parent);
  ~CopyFolder() { place_->remove(); }
  CopyFolder(const CopyFolder&) = delete;
  CopyFolder& operator=(const CopyFolder&) = delete;

  std::string path() const;

  // How long a file must be unchanged (size and times) before it is copied, and how long to wait
  // for that; after that the error is UNAVAILABLE.
  struct Patience {
    Duration quiet{}, longest{};
  };
  // Copies `path` to a folder of its own, without the libraries that it brings. Sets `stamp` to the
  // copied file's. RESOURCE_EXHAUSTED if there is no room.
  Result<std::shared_ptr<PrivateCopy>> copy(const std::string& path, Patience patience,
                                            FileStamp& stamp);
  // Adds what the original has around it: libraries, folders, links. A library whose file did not
  // change since an earlier copy shares that copy's file.
  Status surround(PrivateCopy& copy, const Brought& brought, Patience patience);

 private:
  explicit CopyFolder(std::shared_ptr<CopyPlace> place) : place_(std::move(place)) {}
  static Result<KeptFilePtr> copy_when_quiet(const std::string& path, const std::string& at,
                                             Patience patience, FileStamp& stamp);
  Result<KeptFilePtr> copy_library(const std::string& source, const std::string& at,
                                   Patience patience);

  const std::shared_ptr<CopyPlace> place_;
  std::uint64_t next_ = 1;
  std::map<std::string, std::pair<FileStamp, std::weak_ptr<KeptFile>>> libraries_;  // by source
};

}  // namespace bentohost::plugin
