#include "http/net/socket_bio.h"

#include <openssl/bio.h>
#include <sys/socket.h>

#include <cerrno>

namespace bentohost::http {
namespace {

BioSocket& socket_of(BIO* bio) { return *static_cast<BioSocket*>(BIO_get_data(bio)); }

bool would_block() { return errno == EAGAIN || errno == EWOULDBLOCK; }

int write_bytes(BIO* bio, const char* from, int size) {
  BIO_clear_retry_flags(bio);
  ssize_t n = 0;
  do {
    n = send(socket_of(bio).fd, from, static_cast<std::size_t>(size), MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (n < 0 && errno == EINTR);
  if (n < 0 && would_block()) BIO_set_retry_write(bio);
  return static_cast<int>(n);
}

int read_bytes(BIO* bio, char* to, int size) {
  BIO_clear_retry_flags(bio);
  BioSocket& socket = socket_of(bio);
  ssize_t n = 0;
  do {
    n = recv(socket.fd, to, static_cast<std::size_t>(size), MSG_DONTWAIT);
  } while (n < 0 && errno == EINTR);
  socket.drained = n < size;
  socket.at_end = n == 0;
  if (n < 0 && would_block()) BIO_set_retry_read(bio);
  return static_cast<int>(n);
}

long control(BIO* bio, int command, long, void*) {
  switch (command) {
    case BIO_CTRL_FLUSH:
      return 1;  // nothing is held back
    case BIO_CTRL_EOF:
      return socket_of(bio).at_end ? 1 : 0;
    default:
      return 0;
  }
}

// Never freed: connections may outlive every static object.
BIO_METHOD* make_method() {
  BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
  if (method == nullptr) return nullptr;
  BIO_meth_set_write(method, write_bytes);
  BIO_meth_set_read(method, read_bytes);
  BIO_meth_set_ctrl(method, control);
  return method;
}

}  // namespace

BIO* new_socket_bio(BioSocket& socket) {
  static const BIO_METHOD* const kMethod = make_method();
  BIO* bio = kMethod == nullptr ? nullptr : BIO_new(kMethod);
  if (bio != nullptr) BIO_set_data(bio, &socket);
  return bio;
}

}  // namespace bentohost::http
