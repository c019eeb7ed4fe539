// Private copies of plugins' files. What is loaded is never the file that its author builds: that
// may be overwritten in place, which is a SIGBUS in whoever has it mapped, and dlopen of a path
// that is loaded already gives the old code.
//
// Each copy has a folder of its own, which looks from inside as the original's does: the libraries
// that the plugin brings (brought_libraries.h) are copies too, at the same places from $ORIGIN, and
// what else is in the folders that the loader or the plugin may search is there as symbolic links.
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

// A copy that is removed when its owner goes; what is mapped of it stays mapped. Any thread.
class PrivateCopy {
 public:
  ~PrivateCopy();
  PrivateCopy(const PrivateCopy&) = delete;
  PrivateCopy& operator=(const PrivateCopy&) = delete;

  // Where it was put last.
  std::string path() const;
  // Has all of it be there, as it was when it was made, for somebody who is about to load it. The
  // path, which is another one if a cleaner of temporary files took the whole place.
  Result<std::string> restore() const;
  // By which this process can read the plugin, whatever has become of the path.
  std::string readable() const { return files_.front().file->readable(); }
  // The copy of the library that has `place` beside the original; null if there is none.
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
  std::string root() const BENTO_REQUIRES(place_->mutex());  // of its folder
  Status restore_all() const BENTO_REQUIRES(place_->mutex());

  const std::shared_ptr<CopyPlace> place_;
  const std::uint64_t number_;
  // In the folder. They change no more once others have the copy.
  std::vector<std::string> folders_;
  std::vector<File> files_;  // the plugin first
  std::vector<Link> links_;
};
using PrivateCopyPtr = std::shared_ptr<const PrivateCopy>;

// All copies of this process. One thread at a time.
class CopyFolder {
 public:
  // The errors, and what "" means, are CopyPlace::create()'s.
  static Result<std::unique_ptr<CopyFolder>> create(const std::string& parent);
  ~CopyFolder() { place_->remove(); }
  CopyFolder(const CopyFolder&) = delete;
  CopyFolder& operator=(const CopyFolder&) = delete;

  std::string path() const;

  // How long a file must have been left alone (by its size and times) before it is copied, and how
  // long to wait for that: then UNAVAILABLE.
  struct Patience {
    Duration quiet{}, longest{};
  };
  // A copy of `path` in a folder of its own, still without what it brings. `stamp` becomes what was
  // copied. RESOURCE_EXHAUSTED when there is no room for it.
  Result<std::shared_ptr<PrivateCopy>> copy(const std::string& path, Patience patience,
                                            FileStamp& stamp);
  // Puts around the copy what its original has around it. A library whose file is the same as that
  // of an earlier copy, is the same file here.
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
