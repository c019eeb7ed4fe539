#include "upstream/connection.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <system_error>
#include <utility>

namespace bentohost::upstream {
namespace {

Status unreachable(const std::string& why) {
  return Status(BENTO_UNAVAILABLE, "connecting to it failed: " + why);
}

// A connection to a port may not be complete yet: then the first write waits.
Result<UniqueFd> open_socket(const sockaddr* address, socklen_t size) {
  UniqueFd fd(::socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  int error = fd ? 0 : errno;
  while (error == 0 && ::connect(fd.get(), address, size) != 0) {
    if (errno != EINTR) error = errno;
  }
  if (error == 0 || error == EINPROGRESS) return fd;
  if (error == EAGAIN) return Status(BENTO_RESOURCE_EXHAUSTED, "the backlog is full");
  return unreachable(std::generic_category().message(error));
}

Result<UniqueFd> connect_to(const std::string& address) {
  if (address.starts_with('/')) {
    sockaddr_un path{};
    path.sun_family = AF_UNIX;
    if (address.size() >= sizeof path.sun_path) {
      return unreachable("the path of its socket is too long");
    }
    std::memcpy(path.sun_path, address.data(), address.size());
    return open_socket(reinterpret_cast<const sockaddr*>(&path), sizeof path);
  }
  sockaddr_in port{};
  port.sin_family = AF_INET;
  port.sin_addr.s_addr = ::htonl(INADDR_LOOPBACK);
  const char* const digits = address.data() + address.rfind(':') + 1;
  std::uint16_t number = 0;
  const auto parsed = std::from_chars(digits, address.data() + address.size(), number);
  if (!address.starts_with("127.0.0.1:") || parsed.ec != std::errc()) {
    return unreachable(address + " is no address of it");
  }
  port.sin_port = ::htons(number);
  Result<UniqueFd> fd = open_socket(reinterpret_cast<const sockaddr*>(&port), sizeof port);
  const int on = 1;
  if (fd.ok()) ::setsockopt(fd->get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

}  // namespace

Connection::Connection(EventLoop& loop, std::unique_ptr<http::Transport> transport,
                       ConnectionPermit permit)
    : loop_(loop),
      transport_(std::move(transport)),
      permit_(std::move(permit)),
      timer_(loop.timers(), *this) {}

Connection::~Connection() {
  if (transport_ != nullptr) loop_.remove(transport_->fd(), *this);
}

Result<std::unique_ptr<Connection>> Connection::connect(EventLoop& loop, ConnectionPermit permit) {
  Result<UniqueFd> fd = connect_to(permit.server()->address);
  if (!fd.ok()) return std::move(fd).take_status();
  return attach(loop, {http::plain_transport(*std::move(fd)), std::move(permit)});
}

Result<std::unique_ptr<Connection>> Connection::attach(EventLoop& loop, Detached detached) {
  std::unique_ptr<Connection> connection(
      new Connection(loop, std::move(detached.transport), std::move(detached.permit)));
  if (Status status = connection->watch(); !status.ok()) return status;
  return connection;
}

Status Connection::watch() {
  std::uint32_t events = EPOLLIN | EPOLLRDHUP | EPOLLET;
  if (watches_writing_) events |= EPOLLOUT;
  const Status status = loop_.add(transport_->fd(), events, *this);
  return status.ok() ? Status() : Status(BENTO_UNAVAILABLE, status.message());
}

void Connection::watch_writing(bool watches) {
  if (watches == watches_writing_) return;
  watches_writing_ = watches;
  loop_.remove(transport_->fd(), *this);
  // An event that this forgets comes again: descriptors that are ready when they are added give
  // one.
  if (!watch().ok()) has_ended_ = is_readable_ = true;
}

Connection::Detached Connection::detach() && {
  loop_.remove(transport_->fd(), *this);
  return {std::move(transport_), std::move(permit_)};
}

bool Connection::is_quiet() const {
  char byte = 0;
  return !has_ended_ && ::recv(transport_->fd(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 &&
         (errno == EAGAIN || errno == EWOULDBLOCK);
}

void Connection::lose() {
  has_ended_ = is_readable_ = true;
  if (user_ != nullptr) user_->on_connection(*this);
}

http::Received Connection::read(std::span<char> buffer) {
  const http::Received received = transport_->read(buffer.data(), buffer.size());
  switch (received.kind) {
    case http::Received::Kind::kBytes:
      // After a short read, only the end of input can be pending without a further event.
      is_readable_ = received.more || has_ended_;
      return received;
    case http::Received::Kind::kAgain:
      is_readable_ = false;
      // A dead server sends nothing more, even if a child of it still has the socket open.
      return has_ended_ ? http::Received{http::Received::Kind::kEnd} : received;
    default:
      is_readable_ = false;
      has_ended_ = true;
      return received;
  }
}

void Connection::on_events(std::uint32_t epoll_events) {
  if (epoll_events != EPOLLOUT) is_readable_ = true;
  if ((epoll_events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) != 0) has_ended_ = true;
  if (user_ != nullptr) user_->on_connection(*this);
}

void Connection::on_timer() {
  if (user_ != nullptr) user_->on_expired(*this);
}

}  // namespace bentohost::upstream
