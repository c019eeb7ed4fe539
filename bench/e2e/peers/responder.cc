// responder SOCKET: the cheapest HTTP app, so that a benchmark of a proxy measures the proxy.
// Answers any request on the Unix socket with the same small JSON, keeps connections open, on one
// thread. It knows Content-Length; a request with Transfer-Encoding, which the benchmark never
// sends, is answered 501 on a connection that closes then.
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>

namespace {

constexpr std::string_view kAnswer =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 19\r\n\r\n"
    R"({"message":"hello"})";
constexpr std::string_view kRefusal =
    "HTTP/1.1 501 Not Implemented\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

struct Connection {
  std::string received;  // of a head that is not complete yet
  std::size_t body = 0;  // bytes of the request's body that are still to come
};

// The value of the head's first field of this name; nullptr data if it has none.
std::string_view field(std::string_view head, std::string_view name) {
  for (std::size_t at = head.find("\r\n"); at != head.npos; at = head.find("\r\n", at)) {
    at += 2;
    const std::string_view line = head.substr(at, head.find("\r\n", at) - at);
    if (line.size() > name.size() && line[name.size()] == ':' &&
        ::strncasecmp(line.data(), name.data(), name.size()) == 0) {
      return line.substr(name.size() + 1);
    }
  }
  return {};
}

// Takes what has arrived, and appends an answer for each complete request. False: close then.
bool take(Connection& connection, std::string_view data, std::string& answers) {
  // Nearly always one whole request arrives at a time: then nothing is copied.
  if (!connection.received.empty()) {
    connection.received.append(data);
    data = connection.received;
  }
  bool keeps = true;
  while (keeps) {
    const std::size_t skipped = std::min(connection.body, data.size());
    connection.body -= skipped;
    data.remove_prefix(skipped);
    const std::size_t end = data.find("\r\n\r\n");
    if (end == data.npos) break;
    const std::string_view head = data.substr(0, end + 2);
    keeps = field(head, "transfer-encoding").data() == nullptr;
    answers.append(keeps ? kAnswer : kRefusal);
    if (const std::string_view length = field(head, "content-length"); length.data() != nullptr) {
      connection.body = std::strtoull(std::string(length).c_str(), nullptr, 10);
    }
    data.remove_prefix(end + 4);
  }
  connection.received = std::string(data);
  return keeps;
}

bool serve(int socket, Connection& connection) {
  char buffer[16384];
  const ssize_t count = ::recv(socket, buffer, sizeof buffer, 0);
  if (count <= 0) return false;
  std::string answers;
  const bool keeps = take(connection, {buffer, static_cast<std::size_t>(count)}, answers);
  // A proxy reads each answer before its next request, so the socket's buffer has room.
  return (answers.empty() || ::send(socket, answers.data(), answers.size(), MSG_NOSIGNAL) ==
                                 static_cast<ssize_t>(answers.size())) &&
         keeps;
}

int listen_at(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (std::strlen(path) >= sizeof address.sun_path) return -1;
  std::strcpy(address.sun_path, path);
  ::unlink(path);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener, SOMAXCONN) != 0) {
    return -1;
  }
  return listener;
}

void watch(int epoll, int socket) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = socket;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, socket, &event);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: responder SOCKET\n");
    return 2;
  }
  const int listener = listen_at(argv[1]);
  if (listener < 0) {
    std::perror(argv[1]);
    return 1;
  }
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  std::unordered_map<int, Connection> connections;
  epoll_event events[64];
  for (;;) {
    const int ready = ::epoll_wait(epoll, events, 64, -1);
    for (int i = 0; i < ready; ++i) {
      const int socket = events[i].data.fd;
      if (socket == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted >= 0) watch(epoll, accepted);
      } else if (!serve(socket, connections[socket])) {
        connections.erase(socket);
        ::close(socket);
      }
    }
  }
}
