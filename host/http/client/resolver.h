// Resolver: looks names up on threads, since getaddrinfo() waits, and sets TLS up there, since that
// reads files. Any thread.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/loop/thread_pool.h"
#include "base/status.h"
#include "http/client/url.h"
#include "http/net/tls_client_context.h"

namespace bentohost::http {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// Where a server is.
struct Whereabouts {
  std::vector<SocketAddress> addresses;         // at least one; the first is to be tried first
  std::shared_ptr<const TlsClientContext> tls;  // null: plain
};

// The address that `host` is, if it is one.
Result<std::vector<SocketAddress>> numeric_address(const std::string& host, std::uint16_t port);
// (waits) UNAVAILABLE: the name is not known, or cannot be looked up now.
Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port);

class Resolver {
 public:
  static constexpr std::size_t kThreads = 8, kMaxWaiting = 1024;

  using LookUp =
      std::function<Result<std::vector<SocketAddress>>(const std::string&, std::uint16_t)>;
  explicit Resolver(LookUp look_up = &http::look_up);
  ~Resolver();  // what is being looked up is left behind
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // `done` is called once, on the loop, later; never if the loop ends before.
  using Done = std::function<void(Result<Whereabouts>)>;
  // Without `user` nobody waits any more: a look-up that has not begun never is.
  void find(const Url& url, const std::shared_ptr<EventLoop>& loop, std::weak_ptr<const void> user,
            Done done);

 private:
  struct State;
  const std::shared_ptr<State> state_;
  ThreadPool threads_;
};

}  // namespace bentohost::http
