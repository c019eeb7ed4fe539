#include "plugin/kept_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "plugin/file_copy.h"

namespace bentohost::plugin {
namespace {

// Writes the bytes of `from` to a new file, and returns its identity in `info`.
Status write_copy(int from, const std::string& at, struct stat& info) {
  const UniqueFd to(::open(at.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0500));
  if (!to) return file_error(at);
  Status status = copy_bytes(from, to.get());
  if (status.ok() && ::fstat(to.get(), &info) != 0) status = file_error(at);
  if (!status.ok()) ::unlink(at.c_str());
  return status;
}

}  // namespace

Result<KeptFilePtr> KeptFile::make(int from, const std::string& at) {
  struct stat info {};
  if (Status status = write_copy(from, at, info); !status.ok()) return status;
  UniqueFd fd(::open(at.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return file_error(at);
  return KeptFilePtr(new KeptFile(std::move(fd), at, info.st_dev, info.st_ino));
}

bool KeptFile::is_at(const std::string& path) const {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && info.st_dev == device_ && info.st_ino == inode_;
}

Status KeptFile::put(const std::string& at) {
  const MutexLock lock(mutex_);
  if (is_at(at)) return {};
  ::unlink(at.c_str());
  if (::link(written_to_.c_str(), at.c_str()) == 0) {
    if (is_at(at)) return {};
    ::unlink(at.c_str());
  }
  struct stat info {};
  if (Status status = write_copy(fd_.get(), at, info); !status.ok()) return status;
  written_to_ = at;
  device_ = info.st_dev;
  inode_ = info.st_ino;
  return {};
}

}  // namespace bentohost::plugin
