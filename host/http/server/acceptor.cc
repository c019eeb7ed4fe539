#include "http/server/acceptor.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "http/net/socket_name.h"
#include "http/problem.h"
#include "http/response_writer.h"
#include "http/server/crash_responses.h"

namespace bentohost::http {
namespace {

// Per listener and turn, so that a flood of new connections does not hold up the open ones.
constexpr int kAcceptsPerTurn = 64;
constexpr Duration kPause = std::chrono::milliseconds(50);
constexpr Duration kWarnEvery = std::chrono::minutes(1);

// Whether the error concerns only this connection, which failed or was closed already.
bool is_passing(int error) {
  return error == ECONNABORTED || error == EINTR || error == EPROTO || error == EPERM;
}

std::string too_many_connections(ListenerRole role) {
  const Response response =
      problem(503, role == ListenerRole::kAdmin ? "too many connections to the admin port are open"
                                                : "this client has too many connections open");
  std::string bytes;
  append_head(response, {.close = true}, bytes);
  return bytes += response.body;
}

}  // namespace

Acceptor::Acceptor(std::vector<Listener> listeners, std::shared_ptr<TlsContext> tls,
                   std::vector<std::shared_ptr<LoopConnections>> loops)
    : listeners_(std::move(listeners)),
      tls_(std::move(tls)),
      loops_(std::move(loops)),
      loop_(*loops_.front()->loop()),
      resume_(loop_.timers(), *this),
      rejected_(loop_) {}

Acceptor::~Acceptor() = default;

void Acceptor::start() { set_mode(AcceptMode::kAll); }

void Acceptor::stop() {
  resume_.clear();
  set_mode(AcceptMode::kNone);
}

void Acceptor::set_mode(AcceptMode mode) {
  const auto is_among = [](const Listener& listener, AcceptMode these) {
    return these == AcceptMode::kAll ||
           (these == AcceptMode::kAdmin && listener.role == ListenerRole::kAdmin);
  };
  Status status;
  for (const Listener& listener : listeners_) {
    const bool was = is_among(listener, mode_);
    const bool is = is_among(listener, mode);
    if (is && !was && status.ok()) {
      status = loop_.watch(listener.fd.get(), EPOLLIN,
                           [this, &listener](std::uint32_t) { accept_from(listener); });
    } else if (was && !is) {
      loop_.unwatch(listener.fd.get());
    }
  }
  mode_ = mode;
  if (status.ok()) return;
  for (const Listener& listener : listeners_) loop_.unwatch(listener.fd.get());
  mode_ = AcceptMode::kNone;
  resume_.set(loop_.now() + kPause);
  if (!is_due(warned_failed_at_)) return;
  log_error("connections wait: the listening sockets cannot be watched: " + status.message());
}

void Acceptor::pause(AcceptMode but_for) {
  set_mode(but_for);
  resume_.set(loop_.now() + kPause);
}

void Acceptor::on_timer() {
  ServerState& server = *loops_.front()->server();
  if (server.open() >= server.limits.max_connections) return pause(AcceptMode::kAdmin);
  start();
}

bool Acceptor::is_due(TimePoint& warned_at) const {
  if (warned_at != TimePoint{} && loop_.now() < warned_at + kWarnEvery) return false;
  warned_at = loop_.now();
  return true;
}

void Acceptor::accept_from(const Listener& listener) {
  ServerState& server = *loops_.front()->server();
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    if (are_crash_responses_sent()) return stop();
    if (listener.role == ListenerRole::kPublic && server.open() >= server.limits.max_connections) {
      if (is_due(warned_full_at_)) {
        log_warning("--max-connections are open; further ones wait until some close",
                    {{"connections", server.open()}});
      }
      return pause(AcceptMode::kAdmin);
    }
    UniqueFd fd(accept4(listener.fd.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      const int error = errno;
      if (error == EAGAIN || is_passing(error)) return;
      if (error == EINVAL) return stop();  // the socket no longer listens
      rejected_.close_all();
      if (is_due(warned_failed_at_)) {
        log_warning("accepting connections failed; trying again until it works",
                    {{"reason", std::generic_category().message(error)}});
      }
      return pause(AcceptMode::kNone);
    }
    take(listener, std::move(fd));
  }
}

void Acceptor::take(const Listener& listener, UniqueFd fd) {
  const int on = 1;
  if (listener.address.path.empty()) {
    setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  Peer peer{peer_name(fd.get()), local_name(fd.get()), listener.role};
  ServerState& server = *loops_.front()->server();
  if (const auto too_many = server.opened(peer.client, listener.role); !too_many.empty()) {
    server.application.aborted(too_many);
    if (!listener.secure) rejected_.say(std::move(fd), too_many_connections(listener.role));
    return;
  }
  std::unique_ptr<Transport> transport =
      listener.secure ? tls_->accept(std::move(fd)) : plain_transport(std::move(fd));
  if (transport == nullptr) return server.closed(peer.client, listener.role);
  next_ = (next_ + 1) % loops_.size();
  loops_[next_]->adopt(std::move(transport), std::move(peer));
}

}  // namespace bentohost::http
