#include "base/output_fd.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

namespace bentohost {

ssize_t OutputFd::write(std::string_view text) {
  adopt();
  if (socket_) return ::send(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  return ::write(own_ ? own_.get() : fd_, text.data(), text.size());
}

bool OutputFd::wait_writable(Duration longest) {
  pollfd writable{fd_, POLLOUT, 0};
  const auto ms = std::chrono::ceil<std::chrono::milliseconds>(longest).count();
  return ::poll(&writable, 1, static_cast<int>(ms)) > 0;
}

// Checks again each time: dup2() may have given descriptors 1 and 2 another file.
void OutputFd::adopt() {
  struct stat now {};
  if (::fstat(fd_, &now) != 0) return;
  if (known_ && now.st_dev == seen_.st_dev && now.st_ino == seen_.st_ino) return;
  known_ = true;
  seen_ = now;
  socket_ = S_ISSOCK(now.st_mode);
  own_.reset();
  if (S_ISFIFO(now.st_mode) || ::isatty(fd_) == 1) {
    const std::string path = "/proc/self/fd/" + std::to_string(fd_);
    own_.reset(::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  }
}

}  // namespace bentohost
