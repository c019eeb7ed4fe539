#include "supervise/control.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace bentohost::supervise {

Result<std::pair<Control, UniqueFd>> Control::make() {
  std::array<int, 2> pair{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair.data()) != 0) {
    return Status(BENTO_RESOURCE_EXHAUSTED,
                  "no control socket: " + std::generic_category().message(errno));
  }
  return std::pair(Control(UniqueFd(pair[0])), UniqueFd(pair[1]));
}

bool Control::send(std::string_view message) const {
  ssize_t n = 0;
  do {
    n = ::send(fd_.get(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  return n >= 0;
}

std::optional<std::string> Control::receive() {
  std::array<char, 4096> buffer;
  ssize_t n = 0;
  do {
    n = ::recv(fd_.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  if (n > 0) return std::string(buffer.data(), static_cast<std::size_t>(n));
  if (n == 0 || errno != EAGAIN) has_ended_ = true;
  return std::nullopt;
}

}  // namespace bentohost::supervise
