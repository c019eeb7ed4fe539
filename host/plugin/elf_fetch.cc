#include "plugin/elf_fetch.h"

#include <unistd.h>

#include <cerrno>

namespace bentohost::plugin {
namespace {

// Returns 0 or the errno of the failed read.
int read_at(int fd, std::uint64_t offset, char* to, std::size_t bytes) {
  while (bytes > 0) {
    const ssize_t n = ::pread(fd, to, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    to += n;
    offset += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::size_t>(n);
  }
  return 0;
}

}  // namespace

ElfImage::Fetch fetch_from(int fd, int& error) {
  return [fd, &error](std::uint64_t offset, char* to, std::size_t bytes) {
    const int failed = read_at(fd, offset, to, bytes);
    if (failed != 0) error = failed;
    return failed == 0;
  };
}

}  // namespace bentohost::plugin
