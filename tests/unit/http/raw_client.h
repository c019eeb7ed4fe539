// RawClient: a blocking loopback client that sends exactly the given bytes, for tests of the HTTP
// server. Reads fail after ten seconds instead of hanging a test.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <utility>

#include "base/unique_fd.h"

namespace bentohost::http {

struct Reply {
  int status = 0;    // 0: the connection ended first
  std::string head;  // with the status line
  std::string body;

  bool has(std::string_view line) const {
    return head.find("\r\n" + std::string(line) + "\r\n") != std::string::npos;
  }
};

class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const timeval ten_seconds{10, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &ten_seconds, sizeof ten_seconds);
    is_connected_ =
        ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  bool is_connected() const { return is_connected_; }

  void send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  void end_sending() { shutdown(fd_.get(), SHUT_WR); }
  // Ends the connection at once, both ways, as a crashing client does.
  void reset() {
    const linger at_once{1, 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    fd_.reset();
  }

  // The next response; `of_head`: to a HEAD, so without a body in spite of its Content-Length.
  Reply reply(bool of_head = false) {
    Reply reply;
    std::size_t end = 0;
    while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
      if (!receive()) return reply;
    }
    reply.head = unread_.substr(0, end + 4);
    unread_.erase(0, end + 4);
    reply.status = std::atoi(reply.head.c_str() + 9);
    const std::size_t length = of_head ? 0 : content_length(reply.head);
    while (unread_.size() < length && receive()) {
    }
    reply.body = unread_.substr(0, length);
    unread_.erase(0, length);
    return reply;
  }

  Reply ask(std::string_view bytes) {
    send(bytes);
    return reply();
  }

  // Whether bytes or the end have arrived; waits this long for them.
  bool has_arrived(std::chrono::milliseconds wait) const {
    pollfd readable{fd_.get(), POLLIN, 0};
    return !unread_.empty() || ::poll(&readable, 1, static_cast<int>(wait.count())) != 0;
  }

  // All bytes up to and including `mark`; fewer when the connection ends first.
  std::string read_until(std::string_view mark) {
    std::size_t at = 0;
    while ((at = unread_.find(mark)) == std::string::npos) {
      if (!receive()) return std::exchange(unread_, {});
    }
    std::string bytes = unread_.substr(0, at + mark.size());
    unread_.erase(0, bytes.size());
    return bytes;
  }
  std::string read_to_end() {
    while (receive()) {
    }
    return std::exchange(unread_, {});
  }

  // Whether the server ends the connection without sending more.
  bool at_end() { return unread_.empty() && !receive() && ended_; }

 private:
  bool receive() {
    char bytes[16384];
    const ssize_t n = recv(fd_.get(), bytes, sizeof bytes, 0);
    ended_ = n == 0;
    if (n > 0) unread_.append(bytes, static_cast<std::size_t>(n));
    return n > 0;
  }

  static std::size_t content_length(const std::string& head) {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const std::size_t at = head.find(kName);
    return at == std::string::npos ? 0
                                   : std::strtoul(head.c_str() + at + kName.size(), nullptr, 10);
  }

  UniqueFd fd_;
  std::string unread_;
  bool is_connected_ = false;
  bool ended_ = false;
};

}  // namespace bentohost::http
