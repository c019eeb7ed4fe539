#include "runner_rpc/listening_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <system_error>
#include <utility>

namespace bentohost::runner_rpc {
namespace {

constexpr int kBacklog = 1024;
constexpr mode_t kMode = 0600;

Status cannot_listen(const std::string& path, const std::string& reason) {
  return Status(BENTO_UNAVAILABLE, "cannot listen on unix:" + path + ": " + reason);
}

std::string reason_of(int error) { return std::generic_category().message(error); }

// Empty if a socket may be put there, else why not.
std::string what_is_in_the_way(const sockaddr_un& name, ListeningSocket::IfTaken if_taken) {
  struct stat info {};
  if (::lstat(name.sun_path, &info) != 0) return errno == ENOENT ? "" : reason_of(errno);
  if (!S_ISSOCK(info.st_mode)) return "there is a file that is no socket; remove it";
  if (if_taken == ListeningSocket::IfTaken::kReplace) return "";
  const UniqueFd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const bool answers =
      ::connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0;
  if (answers || errno == EAGAIN) return "another process listens there; choose another path";
  return errno == ECONNREFUSED || errno == ENOENT ? "" : reason_of(errno);
}

}  // namespace

Result<ListeningSocket> ListeningSocket::open(const std::string& path, IfTaken if_taken) {
  // The socket is bound under another name, gets its mode, and is then renamed to the path. So the
  // path is never without a socket, and no client can connect before the mode is set.
  const std::string first_path = path + "." + std::to_string(::getpid());
  sockaddr_un name{}, first_name{};
  if (path.empty() || first_path.size() >= sizeof name.sun_path) {
    return cannot_listen(
        path, "the path is empty or longer than " +
                  std::to_string(sizeof name.sun_path - 1 - (first_path.size() - path.size())) +
                  " bytes; choose a shorter one");
  }
  name.sun_family = first_name.sun_family = AF_UNIX;
  std::memcpy(name.sun_path, path.data(), path.size());
  std::memcpy(first_name.sun_path, first_path.data(), first_path.size());
  if (const std::string why = what_is_in_the_way(name, if_taken); !why.empty()) {
    return cannot_listen(path, why);
  }
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  ::unlink(first_name.sun_path);
  if (!fd ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&first_name), sizeof first_name) != 0) {
    return cannot_listen(path, reason_of(errno));
  }
  struct stat info {};
  if (::chmod(first_name.sun_path, kMode) != 0 || ::listen(fd.get(), kBacklog) != 0 ||
      ::lstat(first_name.sun_path, &info) != 0 ||
      std::rename(first_name.sun_path, name.sun_path) != 0) {
    const std::string reason = reason_of(errno);
    ::unlink(first_name.sun_path);
    return cannot_listen(path, reason);
  }
  return ListeningSocket(std::move(fd), path, info.st_dev, info.st_ino);
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::move(other.fd_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

ListeningSocket::~ListeningSocket() {
  struct stat info {};
  if (path_.empty() || ::lstat(path_.c_str(), &info) != 0) return;
  if (info.st_dev == device_ && info.st_ino == inode_) ::unlink(path_.c_str());
}

}  // namespace bentohost::runner_rpc
