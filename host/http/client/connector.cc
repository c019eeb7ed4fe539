#include "http/client/connector.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace bentohost::http {
namespace {

// "connection refused"
std::string words_for(int error) {
  std::string words = std::generic_category().message(error);
  if (!words.empty() && words[0] >= 'A' && words[0] <= 'Z') words[0] += 'a' - 'A';
  return words;
}

}  // namespace

Connector::Connector(std::shared_ptr<EventLoop> loop, Url url, Duration timeout, Done done)
    : loop_(std::move(loop)),
      url_(std::move(url)),
      timeout_(timeout),
      done_(std::move(done)),
      timer_(loop_->timers(), static_cast<Timer::Owner&>(*this)) {}

void Connector::begin(Resolver& resolver) {
  const TimePoint now = loop_->clock().now();
  deadline_ = timeout_ < kNoDeadline - now ? now + timeout_ : kNoDeadline;
  timer_.set(deadline_);
  const auto on_found = [weak = weak_from_this()](const Result<Whereabouts>& found) {
    if (const auto self = weak.lock()) self->on_found(found);
  };
  if (url_.is_address && !url_.is_tls) {
    auto address = numeric_address(url_.host, url_.port);
    auto found = address.ok() ? Result<Whereabouts>(Whereabouts{*std::move(address), nullptr})
                              : Result<Whereabouts>(std::move(address).take_status());
    return loop_->post([on_found, found = std::move(found)] { on_found(found); });
  }
  resolver.find(url_, loop_, weak_from_this(), on_found);
}

void Connector::finish(Outcome outcome) {
  if (!done_) return;
  timer_.clear();
  const auto self = shared_from_this();
  if (outcome.failure) {
    connection_.reset();
    outcome.failure.status = std::move(outcome.failure.status).prefixed(url_.origin() + ": ");
  }
  std::exchange(done_, nullptr)(*this, std::move(outcome));
}

void Connector::on_found(Result<Whereabouts> found) {
  if (!done_) return;
  if (!found.ok()) {
    return finish({nullptr, {std::move(found).take_status(), fetch_failure::kConnect}});
  }
  where_ = *std::move(found);
  try_next();
}

// ---- one address after the other -------------------------------------------------------------

void Connector::try_next() {
  while (next_ < where_.addresses.size()) {
    // An address that does not answer leaves time for the others.
    const std::size_t left = where_.addresses.size() - next_;
    const TimePoint now = loop_->clock().now();
    if (deadline_ != kNoDeadline) {
      timer_.set(now + std::max(deadline_ - now, Duration::zero()) / static_cast<int>(left));
    }
    is_connected_ = false;
    const Status status = open(where_.addresses[next_++]);
    if (status.ok()) return;
    failure_ = {status, fetch_failure::kConnect};
  }
  finish({nullptr, std::move(failure_)});
}

Status Connector::open(const SocketAddress& address) {
  const auto unreachable = [](int error) {
    return Status::with_http(502, BENTO_UNAVAILABLE, words_for(error));
  };
  UniqueFd fd(::socket(address.get()->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return unreachable(errno);
  const int on = 1;
  ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  int result = 0;
  do {
    result = ::connect(fd.get(), address.get(), address.size);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno != EINPROGRESS) return unreachable(errno);
  auto transport = where_.tls == nullptr ? plain_transport(std::move(fd))
                                         : where_.tls->connect(std::move(fd), url_.host);
  if (transport == nullptr) return unreachable(ENOMEM);
  auto connection = ClientConnection::watch(*loop_, std::move(transport),
                                            static_cast<ClientConnection::User&>(*this));
  if (!connection.ok()) {
    return Status::with_http(503, BENTO_RESOURCE_EXHAUSTED, connection.status().message());
  }
  connection_ = *std::move(connection);
  return {};
}

void Connector::give_up_address(FetchFailure why) {
  connection_.reset();
  failure_ = std::move(why);
  try_next();
}

void Connector::on_connection(ClientConnection&) {
  const auto self = shared_from_this();
  if (!is_connected_) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(connection_->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      return give_up_address(FetchFailure::broken(fetch_failure::kConnect, words_for(error)));
    }
    sockaddr_storage peer{};
    size = sizeof peer;
    if (::getpeername(connection_->fd(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return;
    is_connected_ = true;
  }
  if (where_.tls != nullptr) return shake_hands();
  finish({std::move(connection_), {}});
}

void Connector::shake_hands() {
  char byte = 0;
  const Received received = connection_->read({&byte, 1});
  if (received.kind == Received::Kind::kAgain) {
    if (connection_->is_established()) finish({std::move(connection_), {}});
    return;
  }
  const std::string why = received.kind == Received::Kind::kBroken ? connection_->failure()
                          : received.kind == Received::Kind::kBytes
                              ? "it spoke before it was asked: no HTTP server"
                              : "the connection was closed in the TLS handshake";
  give_up_address(FetchFailure::broken(fetch_failure::kTls, why));
}

void Connector::on_expired(ClientConnection&) {}

void Connector::on_timer() {
  const auto self = shared_from_this();
  timer_.clear();
  FetchFailure late{
      Status(BENTO_DEADLINE_EXCEEDED, "no connection within " + seconds_text(timeout_)),
      fetch_failure::kTimeout};
  if (loop_->clock().now() >= deadline_ || next_ >= where_.addresses.size()) {
    return finish({nullptr, std::move(late)});
  }
  give_up_address(std::move(late));
}

}  // namespace bentohost::http
