// Two ends of a connection for tests of transports, and the reads of a connection's owner.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <string>
#include <string_view>

#include "base/unique_fd.h"
#include "http/net/listener.h"
#include "http/net/transport.h"

namespace bentohost::http {

struct SocketPair {
  UniqueFd ours, theirs;
};

// Unix sockets, neither of which blocks.
inline SocketPair unix_pair() {
  std::array<int, 2> ends{-1, -1};
  EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()), 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// TCP over loopback: `theirs` blocks, as a client's socket does.
inline SocketPair tcp_pair() {
  auto opened = listen_on({"127.0.0.1", 0, {}});
  EXPECT_TRUE(opened.ok()) << opened.status().message();
  const Listener& listener = (*opened)[0];
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(listener.address.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  UniqueFd theirs(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  EXPECT_EQ(connect(theirs.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  UniqueFd ours(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  EXPECT_TRUE(ours);
  return {std::move(ours), std::move(theirs)};
}

// Closing the socket will send RST.
inline void close_by_reset(UniqueFd fd) {
  const linger at_once{1, 0};
  setsockopt(fd.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

// Reads as the owner of a connection does after an event; returns the last read's result.
inline Received read_all(Transport& transport, std::string& to, std::size_t at_a_time = 4096) {
  std::string bytes(at_a_time, '\0');
  while (true) {
    const Received received = transport.read(bytes.data(), bytes.size());
    if (received.kind != Received::Kind::kBytes) return received;
    to.append(bytes, 0, received.size);
    if (!received.more) return received;
  }
}

// Reads until the end, and only when an edge-triggered epoll says so.
inline std::string read_on_events(Transport& transport, std::size_t at_a_time) {
  const UniqueFd epoll(epoll_create1(EPOLL_CLOEXEC));
  epoll_event event{};
  event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  EXPECT_EQ(epoll_ctl(epoll.get(), EPOLL_CTL_ADD, transport.fd(), &event), 0);
  std::string all;
  while (true) {
    constexpr int kTenSeconds = 10'000;
    if (epoll_wait(epoll.get(), &event, 1, kTenSeconds) != 1) {
      ADD_FAILURE() << "no event after " << all.size() << " bytes";
      return all;
    }
    Received received{};
    do {
      received = read_all(transport, all, at_a_time);
      if (received.kind == Received::Kind::kEnd) return all;
      if (received.kind == Received::Kind::kBroken) {
        ADD_FAILURE() << "broken: " << transport.failure();
        return all;
      }
    } while ((event.events & EPOLLRDHUP) != 0);
  }
}

// Bytes in which no two stretches are alike.
inline std::string pattern(std::size_t size) {
  std::string bytes(size, '\0');
  unsigned state = 1;
  for (char& byte : bytes) {
    state = state * 1664525u + 1013904223u;
    byte = static_cast<char>(state >> 24);
  }
  return bytes;
}

}  // namespace bentohost::http
