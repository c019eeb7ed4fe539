#include "runner_rpc/acceptor.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "runner_rpc/connection.h"

namespace bentohost::runner_rpc {
namespace {

constexpr int kAcceptsPerTurn = 64;
constexpr Duration kPause = std::chrono::milliseconds(50);
constexpr Duration kWarnEvery = std::chrono::minutes(1);

}  // namespace

Acceptor::Acceptor(std::shared_ptr<ServerState> server, Loops loops, ListeningSocket socket,
                   std::string token, bool is_guest)
    : server_(std::move(server)),
      loops_(std::move(loops)),
      socket_(std::move(socket)),
      token_(std::move(token)),
      is_guest_(is_guest),
      resume_(loops_.front()->timers(), *this) {}

void Acceptor::start() {
  const Status status = loops_.front()->watch(
      socket_.fd(), EPOLLIN, [self = shared_from_this()](std::uint32_t) { self->accept(); });
  if (status.ok()) return;
  log_error("clients of the runners wait: " + status.message(), {{"socket", socket_.path()}});
  resume_.set(loops_.front()->now() + kPause);
}

void Acceptor::stop() {
  resume_.clear();
  loops_.front()->unwatch(socket_.fd());
}

void Acceptor::pause() {
  loops_.front()->unwatch(socket_.fd());
  resume_.set(loops_.front()->now() + kPause);
}

void Acceptor::accept() {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    UniqueFd fd(::accept4(socket_.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (!fd) {
      const int error = errno;
      if (error == EAGAIN || error == EINTR || error == ECONNABORTED) return;
      const TimePoint now = loops_.front()->now();
      if (warned_at_ == TimePoint{} || now >= warned_at_ + kWarnEvery) {
        warned_at_ = now;
        log_warning(
            "accepting clients of the runners failed; trying again until it works",
            {{"socket", socket_.path()}, {"reason", std::generic_category().message(error)}});
      }
      return pause();
    }
    next_ = (next_ + 1) % loops_.size();
    const auto& loop = loops_[next_];
    auto connection = std::make_shared<Connection>(server_, loop, std::move(fd), token_, is_guest_);
    const bool is_one_too_many = !server_->add(connection, is_guest_);
    loop->post([connection = std::move(connection), is_one_too_many] {
      if (is_one_too_many) return connection->refuse_too_many();
      connection->open();
    });
  }
}

}  // namespace bentohost::runner_rpc
