#include "http/client/connection.h"

#include <utility>

namespace bentohost::http {

Result<std::unique_ptr<ClientConnection>> ClientConnection::watch(
    EventLoop& loop, std::unique_ptr<Transport> transport, User& user) {
  const int fd = transport->fd();
  std::unique_ptr<ClientConnection> connection(
      new ClientConnection(loop, std::move(transport), user));
  Status status = loop.add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, *connection);
  if (!status.ok()) return status;
  return connection;
}

ClientConnection::~ClientConnection() { loop_.remove(transport_->fd(), *this); }

bool ClientConnection::is_quiet() {
  char byte = 0;
  return read({&byte, 1}).kind == Received::Kind::kAgain;
}

}  // namespace bentohost::http
