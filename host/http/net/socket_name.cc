#include "http/net/socket_name.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstddef>
#include <cstring>

namespace bentohost::http {
namespace {

using NameCall = int (*)(int, sockaddr*, socklen_t*);

struct End {
  Address address;
  bool is_unix = false, is_known = false;
};

End end_of(int fd, NameCall call) {
  End end;
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  auto* generic = reinterpret_cast<sockaddr*>(&storage);
  if (call(fd, generic, &length) != 0) return end;
  if (storage.ss_family == AF_UNIX) {
    const auto* name = reinterpret_cast<const sockaddr_un*>(&storage);
    end.is_unix = end.is_known = true;
    if (length > offsetof(sockaddr_un, sun_path)) {
      end.address.path.assign(name->sun_path, strnlen(name->sun_path, sizeof name->sun_path));
    }
    return end;
  }
  std::array<char, NI_MAXHOST> host{};
  if (getnameinfo(generic, length, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return end;
  }
  end.is_known = true;
  end.address.host = host.data();
  end.address.port = ntohs(storage.ss_family == AF_INET6
                               ? reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port
                               : reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
  return end;
}

std::string name_of(int fd, NameCall call) {
  const End end = end_of(fd, call);
  if (!end.is_known) return "unknown";
  if (end.is_unix) return end.address.path.empty() ? "unix" : "unix:" + end.address.path;
  return authority(end.address.host, end.address.port);
}

}  // namespace

std::string peer_name(int fd) { return name_of(fd, &getpeername); }
std::string local_name(int fd) { return name_of(fd, &getsockname); }
std::uint16_t port_of(int fd) { return address_of(fd).port; }
Address address_of(int fd) { return end_of(fd, &getsockname).address; }

}  // namespace bentohost::http
