#include "http/listener.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace bentohost::http {
namespace {

constexpr int kBacklog = 4096;  // the kernel lowers it to net.core.somaxconn

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

UniqueFd listen_at(const addrinfo& address) {
  UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return fd;
  const int on = 1;
  const int off = 0;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // "::" takes IPv4 too, whatever net.ipv6.bindv6only says.
  if (address.ai_family == AF_INET6) {
    setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (bind(fd.get(), address.ai_addr, address.ai_addrlen) != 0 || listen(fd.get(), kBacklog) != 0) {
    const int reason = errno;
    fd.reset();
    errno = reason;
  }
  return fd;
}

Status cannot_listen(const std::string& host, std::uint16_t port, const std::string& reason,
                     const char* way_out) {
  return Status(BENTO_UNAVAILABLE,
                "cannot listen on " + authority(host, port) + ": " + reason + "; " + way_out);
}

}  // namespace

Result<UniqueFd> listen_on(const std::string& host, std::uint16_t port) {
  constexpr const char* kOtherPort = "choose another with --port, or --port 0 for any free one";
  constexpr const char* kOtherHost = "choose an address of this machine with --host";
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.empty() ? nullptr : host.c_str(), std::to_string(port).c_str(),
                                &hints, &found);
  if (error != 0) return cannot_listen(host, port, gai_strerror(error), kOtherHost);

  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  int reason = 0;
  for (const addrinfo* address = list.get(); address != nullptr; address = address->ai_next) {
    UniqueFd fd = listen_at(*address);
    if (fd) return fd;
    reason = errno;
  }
  const bool is_port = reason == EADDRINUSE || reason == EACCES;
  return cannot_listen(host, port, std::generic_category().message(reason),
                       is_port ? kOtherPort : kOtherHost);
}

std::uint16_t local_port(const UniqueFd& listener) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  if (getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0) return 0;
  return ntohs(address.ss_family == AF_INET6
                   ? reinterpret_cast<const sockaddr_in6*>(&address)->sin6_port
                   : reinterpret_cast<const sockaddr_in*>(&address)->sin_port);
}

std::string authority(const std::string& host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace bentohost::http
