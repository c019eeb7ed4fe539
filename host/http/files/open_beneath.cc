#include "http/files/open_beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace bentohost::http {
namespace {

constexpr int kReading = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
// openat2 fails with EAGAIN if something is renamed while it resolves "..", as in a symlink.
constexpr int kMaxAttempts = 16;

Status no_such_file() { return Status(BENTO_NOT_FOUND, "there is no such file"); }

Status failed(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ELOOP:
    case EXDEV:  // it leads outside
    case ENAMETOOLONG:
    case ENXIO:  // a socket
    case EINVAL:
      return no_such_file();
    case EACCES:
    case EPERM:
      return Status(BENTO_PERMISSION_DENIED, "the file may not be read");
    case EMFILE:
    case ENFILE:
    case ENOMEM:
    case EAGAIN:
      return Status(BENTO_RESOURCE_EXHAUSTED,
                    "opening a file: " + std::generic_category().message(error));
    default:
      return Status(BENTO_INTERNAL, "opening a file: " + std::generic_category().message(error));
  }
}

std::string_view take_segment(std::string_view& path) {
  const std::size_t slash = std::min(path.find('/'), path.size());
  const std::string_view segment = path.substr(0, slash);
  path.remove_prefix(std::min(slash + 1, path.size()));
  return segment;
}

bool is_plain(std::string_view path) {
  if (path.empty() || path.back() == '/' || path.find('\0') != std::string_view::npos) return false;
  while (!path.empty()) {
    const std::string_view segment = take_segment(path);
    if (segment.empty() || segment == "." || segment == "..") return false;
  }
  return true;
}

int open_once(int folder, const std::string& path) {
  open_how how{};
  how.flags = kReading;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, folder, path.c_str(), &how, sizeof how));
}

}  // namespace

Result<UniqueFd> open_beneath(int folder, std::string_view path) {
  if (!is_plain(path)) return no_such_file();
  const std::string terminated(path);
  int fd = -1;
  for (int attempt = 0; attempt < kMaxAttempts && fd < 0; ++attempt) {
    fd = open_once(folder, terminated);
    if (fd < 0 && errno != EAGAIN && errno != EINTR) break;
  }
  if (fd >= 0) return UniqueFd(fd);
  // EPERM comes from seccomp filters that do not know the call.
  return errno == ENOSYS || errno == EPERM ? walk_beneath(folder, path) : failed(errno);
}

Result<UniqueFd> walk_beneath(int folder, std::string_view path) {
  if (!is_plain(path)) return no_such_file();
  UniqueFd parent;
  while (true) {
    const int at = parent ? parent.get() : folder;
    const std::string segment(take_segment(path));
    const int flags = path.empty() ? kReading : O_PATH | O_DIRECTORY | O_CLOEXEC;
    UniqueFd next(openat(at, segment.c_str(), flags | O_NOFOLLOW));
    if (!next) return failed(errno);
    if (path.empty()) return next;
    parent = std::move(next);
  }
}

}  // namespace bentohost::http
