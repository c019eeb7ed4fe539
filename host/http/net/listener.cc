#include "http/net/listener.h"

#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>

#include "http/net/socket_name.h"

namespace bentohost::http {
namespace {

constexpr int kBacklog = 4096;        // the kernel lowers it to net.core.somaxconn
constexpr int kFirstInheritedFd = 3;  // SD_LISTEN_FDS_START
constexpr int kFreePortAttempts = 10;

constexpr const char* kOtherPort = "choose another with --port, or --port 0 for any free one";
constexpr const char* kOtherHost = "choose an address of this machine with --host";

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

UniqueFd listen_at(const addrinfo& address) {
  UniqueFd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
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

Status cannot_listen(const std::string& where, const std::string& reason, const char* way_out) {
  return Status(BENTO_UNAVAILABLE, "cannot listen on " + where + ": " + reason + "; " + way_out);
}

std::string reason_text(int error) { return std::generic_category().message(error); }

// Whether this machine lacks an address that the name has: mostly one of the two families.
bool is_not_here(int error) { return error == EADDRNOTAVAIL || error == EAFNOSUPPORT; }

void set_port(addrinfo& address, std::uint16_t port) {
  if (address.ai_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6*>(address.ai_addr)->sin6_port = htons(port);
  } else if (address.ai_family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(address.ai_addr)->sin_port = htons(port);
  }
}

bool is_same(const addrinfo& a, const addrinfo& b) {
  return a.ai_family == b.ai_family && a.ai_addrlen == b.ai_addrlen &&
         std::memcmp(a.ai_addr, b.ai_addr, a.ai_addrlen) == 0;
}

// The addresses of a name, each once: /etc/hosts may list one twice. Without a host (`is_any`),
// "::" comes first: it serves both families if there is IPv6, and the first that works is enough.
std::vector<addrinfo*> addresses_of(addrinfo* list, bool is_any) {
  std::vector<addrinfo*> all;
  for (addrinfo* each = list; each != nullptr; each = each->ai_next) {
    const bool is_known = std::any_of(all.begin(), all.end(),
                                      [each](addrinfo* other) { return is_same(*each, *other); });
    if (!is_known) all.push_back(each);
  }
  if (is_any) {
    std::stable_partition(all.begin(), all.end(),
                          [](addrinfo* each) { return each->ai_family == AF_INET6; });
  }
  return all;
}

// Fills `listeners`, all at one port. Returns 0 or an errno.
int listen_at_all(const std::vector<addrinfo*>& addresses, const Address& address,
                  std::vector<Listener>& listeners) {
  int reason = EADDRNOTAVAIL;
  std::uint16_t port = address.port;
  for (addrinfo* each : addresses) {
    set_port(*each, port);
    Listener listener{listen_at(*each), address};
    if (!listener.fd) {
      reason = errno;
      if (is_not_here(reason)) continue;
      return reason;
    }
    listener.address.port = port = port_of(listener.fd.get());
    if (address.host.empty()) listener.address.host = address_of(listener.fd.get()).host;
    listeners.push_back(std::move(listener));
    if (address.host.empty()) break;
  }
  return listeners.empty() ? reason : 0;
}

Result<std::vector<Listener>> listen_tcp(const Address& address) {
  const std::string where = authority(address.host, address.port);
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(address.host.empty() ? nullptr : address.host.c_str(),
                                std::to_string(address.port).c_str(), &hints, &found);
  if (error != 0) return cannot_listen(where, gai_strerror(error), kOtherHost);

  const std::unique_ptr<addrinfo, FreeAddresses> list(found);
  const std::vector<addrinfo*> addresses = addresses_of(list.get(), address.host.empty());
  std::vector<Listener> listeners;
  int reason = listen_at_all(addresses, address, listeners);
  // A port that is free on one address may be taken on the next.
  for (int i = 0; i < kFreePortAttempts && reason == EADDRINUSE && address.port == 0; ++i) {
    listeners.clear();
    reason = listen_at_all(addresses, address, listeners);
  }
  if (reason == 0) return listeners;
  const bool is_port = reason == EADDRINUSE || reason == EACCES;
  return cannot_listen(where, reason_text(reason), is_port ? kOtherPort : kOtherHost);
}

// Whether `path` is a socket that nobody listens on.
bool is_stale(const sockaddr_un& name) {
  struct stat info {};
  if (stat(name.sun_path, &info) != 0 || !S_ISSOCK(info.st_mode)) return false;
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0 &&
         errno == ECONNREFUSED;
}

Result<std::vector<Listener>> listen_unix(const Address& address, unsigned mode) {
  const std::string where = "unix:" + address.path;
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (address.path.empty() || address.path.size() >= sizeof name.sun_path) {
    return cannot_listen(where, "the path is empty or longer than 107 bytes",
                         "choose a shorter one");
  }
  std::memcpy(name.sun_path, address.path.data(), address.path.size());
  if (is_stale(name)) unlink(name.sun_path);
  Listener listener{UniqueFd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)),
                    address};
  const auto refuse = [&where] {
    return cannot_listen(where, reason_text(errno), "is another server using it?");
  };
  if (!listener.fd ||
      bind(listener.fd.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name) != 0) {
    return refuse();
  }
  listener.file.reset(new std::string(address.path));
  // Set the mode before listen(): until then nobody can connect.
  if (chmod(name.sun_path, mode) != 0 || listen(listener.fd.get(), kBacklog) != 0) return refuse();
  std::vector<Listener> listeners;
  listeners.push_back(std::move(listener));
  return listeners;
}

bool is_listening(int fd) {
  int value = 0;
  socklen_t length = sizeof value;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &value, &length) == 0 && value != 0;
}

int number_in_environment(const char* name) {
  const char* text = std::getenv(name);
  int number = 0;
  if (text != nullptr) std::from_chars(text, text + std::strlen(text), number);
  return number;
}

}  // namespace

Result<Address> parse_address(std::string_view text) {
  const auto refuse = [] {
    return Status(BENTO_INVALID_ARGUMENT, "expected HOST:PORT, [IPV6]:PORT or unix:PATH");
  };
  Address address;
  if (text.starts_with("unix:")) {
    address.path = text.substr(5);
    if (address.path.empty()) return refuse();
    return address;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refuse();
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (host.starts_with('[')) {
    if (!host.ends_with(']')) return refuse();
    host = host.substr(1, host.size() - 2);
  } else if (host.find(':') != std::string_view::npos) {
    return refuse();
  }
  const char* end = port.data() + port.size();
  const auto [stopped, error] = std::from_chars(port.data(), end, address.port);
  if (port.empty() || error != std::errc() || stopped != end) return refuse();
  address.host = host;
  return address;
}

void RemoveFile::operator()(const std::string* path) const {
  unlink(path->c_str());
  delete path;
}

std::string Listener::url() const {
  if (!address.path.empty()) return "unix:" + address.path;
  return (secure ? "https://" : "http://") + authority(address.host, address.port);
}

Result<std::vector<Listener>> listen_on(const Address& address, unsigned unix_mode) {
  return address.path.empty() ? listen_tcp(address) : listen_unix(address, unix_mode);
}

bool has_inherited_listeners() {
  return number_in_environment("LISTEN_FDS") > 0 && number_in_environment("LISTEN_PID") == getpid();
}

Result<std::vector<Listener>> inherited_listeners() {
  std::vector<Listener> listeners;
  const int count = number_in_environment("LISTEN_FDS");
  const bool is_ours = number_in_environment("LISTEN_PID") == getpid();
  for (const char* name : {"LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"}) unsetenv(name);
  for (int fd = kFirstInheritedFd; is_ours && fd < kFirstInheritedFd + count; ++fd) {
    if (!is_listening(fd)) {
      return Status(BENTO_INVALID_ARGUMENT,
                    "LISTEN_FDS: descriptor " + std::to_string(fd) + " is not a listening socket");
    }
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    Listener listener{UniqueFd(fd), address_of(fd)};
    listener.inherited = true;
    listeners.push_back(std::move(listener));
  }
  return listeners;
}

Result<std::vector<Listener>> open_listeners(const ListenerSpecs& specs) {
  std::vector<Listener> listeners;
  if (specs.inherit) {
    auto inherited = inherited_listeners();
    if (!inherited.ok()) return std::move(inherited).take_status();
    listeners = *std::move(inherited);
  }
  for (const ListenerRole role : {ListenerRole::kPublic, ListenerRole::kAdmin}) {
    for (const Address& address : role == ListenerRole::kAdmin ? specs.admin : specs.open) {
      auto opened = listen_on(address, specs.unix_mode);
      if (!opened.ok()) return std::move(opened).take_status();
      for (Listener& listener : *opened) {
        listener.role = role;
        listeners.push_back(std::move(listener));
      }
    }
  }
  return listeners;
}

std::string authority(const std::string& host, std::uint16_t port) {
  const bool is_v6 = host.find(':') != std::string::npos;
  return (is_v6 ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

}  // namespace bentohost::http
