#include "http/socket.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace bentohost::http {
namespace {

void set_timeout(int fd, int option, Duration duration) {
  using std::chrono::microseconds;
  // Zero would mean for ever.
  const auto us = std::max(std::chrono::duration_cast<microseconds>(duration), microseconds(1));
  timeval value{};
  value.tv_sec = us.count() / 1'000'000;
  value.tv_usec = us.count() % 1'000'000;
  setsockopt(fd, SOL_SOCKET, option, &value, sizeof value);
}

int poll_timeout(Duration left) {
  return static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
}

// Waits for readability; false after `timeout`.
bool wait_readable(int fd, Duration timeout) {
  const TimePoint deadline = SteadyClock().now() + timeout;
  pollfd entry{fd, POLLIN, 0};
  while (true) {
    const Duration left = std::max(deadline - SteadyClock().now(), Duration::zero());
    const int ready = poll(&entry, 1, poll_timeout(left));
    if (ready >= 0 || errno != EINTR) return ready != 0;
  }
}

// recv() that begins again when a signal interrupts it.
Received receive_once(int fd, char* to, std::size_t size, int flags) {
  ssize_t n = 0;
  do {
    n = recv(fd, to, size, flags);
  } while (n < 0 && errno == EINTR);
  if (n > 0) return {Received::Kind::kBytes, static_cast<std::size_t>(n)};
  if (n == 0) return {Received::Kind::kEnd};
  return {errno == EAGAIN || errno == EWOULDBLOCK ? Received::Kind::kTimeout
                                                  : Received::Kind::kBroken};
}

using NameCall = int (*)(int, sockaddr*, socklen_t*);

std::string name_of(int fd, NameCall call) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (call(fd, generic, &length) != 0 ||
      getnameinfo(generic, length, host.data(), host.size(), port.data(), port.size(),
                  NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "unknown";
  }
  const std::string name = host.data();
  const bool is_v6 = address.ss_family == AF_INET6;
  return (is_v6 ? "[" + name + "]" : name) + ":" + port.data();
}

}  // namespace

Socket::Socket(UniqueFd fd, Duration wait, Duration write_timeout) : fd_(std::move(fd)) {
  const int on = 1;
  setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  fcntl(fd_.get(), F_SETFD, FD_CLOEXEC);
  set_timeout(fd_.get(), SO_RCVTIMEO, wait);
  set_timeout(fd_.get(), SO_SNDTIMEO, write_timeout);
}

Received Socket::await(char* to, std::size_t size) { return receive_once(fd_.get(), to, size, 0); }

Received Socket::receive(char* to, std::size_t size, Duration timeout) {
  const Received at_once = receive_once(fd_.get(), to, size, MSG_DONTWAIT);
  if (at_once.kind != Received::Kind::kTimeout) return at_once;
  if (!wait_readable(fd_.get(), timeout)) return {Received::Kind::kTimeout};
  return receive_once(fd_.get(), to, size, MSG_DONTWAIT);
}

bool Socket::send(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                               iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    const ssize_t n = sendmsg(fd_.get(), &message, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    const auto sent = static_cast<std::size_t>(n);
    const std::size_t of_first = std::min(sent, first.size());
    first.remove_prefix(of_first);
    second.remove_prefix(sent - of_first);
  }
  return true;
}

void Socket::shutdown_reading() const { shutdown(fd_.get(), SHUT_RD); }
void Socket::shutdown_writing() const { shutdown(fd_.get(), SHUT_WR); }
void Socket::cut() const { shutdown(fd_.get(), SHUT_RDWR); }

bool Socket::has_unread_bytes() const {
  int unread = 0;
  return ioctl(fd_.get(), FIONREAD, &unread) == 0 && unread > 0;
}

std::string Socket::peer_name() const { return name_of(fd_.get(), &getpeername); }
std::string Socket::local_name() const { return name_of(fd_.get(), &getsockname); }

}  // namespace bentohost::http
