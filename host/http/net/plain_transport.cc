#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "http/net/transport.h"

namespace bentohost::http {
namespace {

class PlainTransport final : public Transport {
 public:
  explicit PlainTransport(UniqueFd fd) : fd_(std::move(fd)) {}

  Received read(char* to, std::size_t size) override {
    ssize_t n = 0;
    do {
      n = recv(fd_.get(), to, size, MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n > 0) {
      const auto got = static_cast<std::size_t>(n);
      return {Received::Kind::kBytes, got, got == size};
    }
    if (n == 0) return {Received::Kind::kEnd};
    return {errno == EAGAIN || errno == EWOULDBLOCK ? Received::Kind::kAgain
                                                    : Received::Kind::kBroken};
  }

  Sent write(std::string_view first, std::string_view second) override {
    Sent sent;
    while (!first.empty() || !second.empty()) {
      const ssize_t n = second.empty() ? ::send(fd_.get(), first.data(), first.size(), kFlags)
                                       : send_both(first, second);
      if (n < 0) {
        if (errno == EINTR) continue;
        sent.broken = errno != EAGAIN && errno != EWOULDBLOCK;
        return sent;
      }
      const auto taken = static_cast<std::size_t>(n);
      sent.size += taken;
      const std::size_t of_first = std::min(taken, first.size());
      first.remove_prefix(of_first);
      second.remove_prefix(taken - of_first);
    }
    return sent;
  }

  void shutdown_writing() override { shutdown(fd_.get(), SHUT_WR); }
  int fd() const override { return fd_.get(); }
  bool is_secure() const override { return false; }

 private:
  static constexpr int kFlags = MSG_DONTWAIT | MSG_NOSIGNAL;

  ssize_t send_both(std::string_view first, std::string_view second) const {
    std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                               iovec{const_cast<char*>(second.data()), second.size()}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    return ::sendmsg(fd_.get(), &message, kFlags);
  }

  UniqueFd fd_;
};

}  // namespace

std::unique_ptr<Transport> plain_transport(UniqueFd fd) {
  return std::make_unique<PlainTransport>(std::move(fd));
}

}  // namespace bentohost::http
