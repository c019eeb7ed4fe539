#include "http/client/origin.h"

#include <algorithm>
#include <string>
#include <utility>

namespace bentohost::http {

Origin::Origin(ClientLoop& shared, Url url) : shared_(shared), url_(std::move(url)) {}

// The loop's part of the client, which counts idle connections, may be gone before.
Origin::~Origin() = default;

void Origin::close_idle() {
  shared_.idle -= idle_.size();
  idle_.clear();
}

// ---- a request needs a connection ------------------------------------------------------------

Origin::Acquired Origin::acquire(Waiter& waiter, bool fresh, Duration connect_timeout) {
  if (!fresh && waiters_.empty()) {
    if (auto connection = take_idle()) {
      ++in_use_;
      return {std::move(connection), {}};
    }
  }
  if (waiters_.size() >= shared_.options.max_waiting) {
    return {nullptr,
            {Status::with_http(503, BENTO_RESOURCE_EXHAUSTED,
                               url_.origin() + ": " + std::to_string(waiters_.size()) +
                                   " requests wait for a connection already"),
             fetch_failure::kQueueFull}};
  }
  // A request that is sent once more has waited before.
  waiter.turn = {waiters_.insert(fresh ? waiters_.begin() : waiters_.end(), &waiter), true, fresh,
                 connect_timeout};
  connect();
  return {};
}

void Origin::stop_waiting(Waiter& waiter) {
  if (std::exchange(waiter.turn.is_waiting, false)) waiters_.erase(waiter.turn.place);
}

std::unique_ptr<ClientConnection> Origin::take_idle() {
  while (!idle_.empty()) {
    std::unique_ptr<ClientConnection> connection = std::move(idle_.back());
    idle_.pop_back();
    --shared_.idle;
    connection->expire_at(kNoDeadline);
    if (connection->is_quiet()) return connection;
  }
  return nullptr;
}

// Makes as many connections as requests wait, and may be made.
void Origin::connect() {
  auto waiter = waiters_.begin();
  std::advance(waiter, std::min(connectors_.size(), waiters_.size()));
  for (; waiter != waiters_.end(); ++waiter) {
    // An idle one is of no use to those who wait: they want a fresh one.
    if (open() >= shared_.options.max_connections && !idle_.empty()) drop_idle(*idle_.front());
    if (open() >= shared_.options.max_connections) return;
    auto connector = std::make_shared<Connector>(
        shared_.loop, url_, (*waiter)->turn.connect_timeout,
        [weak = weak_from_this()](Connector& self, Connector::Outcome outcome) {
          if (const auto origin = weak.lock()) origin->on_connected(self, std::move(outcome));
        });
    connectors_.push_back(connector);
    connector->begin(shared_.resolver);
  }
}

Origin::Waiter* Origin::take_waiter(bool also_fresh) {
  const auto first = std::find_if(
      waiters_.begin(), waiters_.end(),
      [also_fresh](const Waiter* one) { return also_fresh || !one->turn.wants_fresh; });
  if (first == waiters_.end()) return nullptr;
  Waiter* const waiter = *first;
  stop_waiting(*waiter);
  return waiter;
}

void Origin::on_connected(const Connector& connector, Connector::Outcome outcome) {
  const auto self = shared_from_this();
  std::erase_if(connectors_, [&connector](const auto& one) { return one.get() == &connector; });
  if (outcome.connection == nullptr) {
    // A timeout is that of the request which the connection was made for, and another one may have
    // more patience.
    const bool is_late = outcome.failure.status.code() == BENTO_DEADLINE_EXCEEDED;
    const auto first = std::find_if(waiters_.begin(), waiters_.end(), [&](const Waiter* one) {
      return !is_late || one->turn.connect_timeout <= connector.timeout();
    });
    if (first != waiters_.end()) {
      Waiter* const waiter = *first;
      stop_waiting(*waiter);
      waiter->on_no_connection(std::move(outcome.failure));
    }
    return connect();
  }
  Waiter* const waiter = take_waiter(true);
  ++in_use_;
  if (waiter == nullptr) return release(std::move(outcome.connection), true);
  waiter->on_acquired(std::move(outcome.connection));
}

// ---- a connection becomes free ---------------------------------------------------------------

void Origin::release(std::unique_ptr<ClientConnection> connection, bool is_reusable) {
  --in_use_;
  if (!is_reusable || !connection->is_quiet()) {
    connection.reset();
    return connect();
  }
  connection->has_waited = true;
  if (Waiter* const waiter = take_waiter(false)) {
    ++in_use_;
    return waiter->on_acquired(std::move(connection));
  }
  if (shared_.idle >= shared_.options.max_idle) return;
  connection->set_user(*this);
  connection->expire_at(shared_.loop->clock().now() + shared_.options.idle_timeout);
  idle_.push_back(std::move(connection));
  ++shared_.idle;
}

void Origin::on_connection(ClientConnection& connection) {
  // TLS has messages of its own, such as tickets for sessions.
  if (!connection.is_quiet()) drop_idle(connection);
}

void Origin::drop_idle(const ClientConnection& connection) {
  shared_.idle -=
      std::erase_if(idle_, [&connection](const auto& one) { return one.get() == &connection; });
}

}  // namespace bentohost::http
