#include "plugin/file_copy.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <system_error>

#include "base/unique_fd.h"

namespace bentohost::plugin {
namespace {

std::int64_t nanoseconds(const timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

FileStamp stamp_of(const struct stat& info) {
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          nanoseconds(info.st_mtim), nanoseconds(info.st_ctim)};
}

}  // namespace

Status file_error(const std::string& what) {
  const int error = errno;
  const bento_code code = error == ENOENT || error == ENOTDIR  ? BENTO_NOT_FOUND
                          : error == ENOSPC || error == EDQUOT ? BENTO_RESOURCE_EXHAUSTED
                          : error == EACCES || error == EPERM  ? BENTO_PERMISSION_DENIED
                                                               : BENTO_UNAVAILABLE;
  return {code, what + ": " + std::generic_category().message(error)};
}

Result<FileStamp> file_stamp(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return file_error(path);
  return stamp_of(info);
}

Result<FileStamp> file_stamp(int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) return file_error("a file that is open");
  return stamp_of(info);
}

Status copy_bytes(int from, int to) {
  // Some file systems and sandboxes refuse this call, with various errors, or copy nothing. Reading
  // and writing then go on from where it stopped, and show what is really wrong.
  off_t offset = 0;
  for (;;) {
    const ssize_t n = ::copy_file_range(from, &offset, to, nullptr, 1u << 30, 0);
    if (n == 0 || (n < 0 && errno != EINTR)) break;
  }
  std::array<char, 65536> buffer;
  for (;;) {
    const ssize_t got = ::pread(from, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 ? Status() : file_error("reading");
    offset += got;
    for (ssize_t done = 0; done < got;) {
      const ssize_t n = ::write(to, buffer.data() + done, static_cast<std::size_t>(got - done));
      if (n < 0 && errno != EINTR) return file_error("writing the copy");
      done += std::max<ssize_t>(n, 0);
    }
  }
}

Result<bool> same_bytes(const std::string& one, const std::string& other) {
  const UniqueFd a(::open(one.c_str(), O_RDONLY | O_CLOEXEC));
  if (!a) return file_error(one);
  const UniqueFd b(::open(other.c_str(), O_RDONLY | O_CLOEXEC));
  if (!b) return file_error(other);
  std::array<char, 65536> left, right;
  const auto fill = [](int fd, std::array<char, 65536>& buffer) {
    std::size_t size = 0;
    while (size < buffer.size()) {
      const ssize_t n = ::read(fd, buffer.data() + size, buffer.size() - size);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) break;
      size += static_cast<std::size_t>(n);
    }
    return size;
  };
  for (;;) {
    const std::size_t size = fill(a.get(), left);
    if (size != fill(b.get(), right)) return false;
    if (!std::equal(left.begin(), left.begin() + static_cast<std::ptrdiff_t>(size),
                    right.begin())) {
      return false;
    }
    if (size == 0) return true;
  }
}

}  // namespace bentohost::plugin
