#include "upstream/pool.h"

#include <algorithm>
#include <utility>

namespace bentohost::upstream {
namespace {

// A Unix socket tells nobody when its backlog has room again.
constexpr Duration kRetryConnect = std::chrono::milliseconds(5);

using Kind = Pool::Acquired::Kind;

}  // namespace

Pool::Pool(EventLoop& loop, std::shared_ptr<ServerSet> servers)
    : loop_(loop), servers_(std::move(servers)), retry_(loop.timers(), *this) {}

void Pool::close() {
  for (Idle& idle : idle_) {
    idle.server->idle.fetch_sub(static_cast<std::uint32_t>(idle.connections.size()));
  }
  idle_.clear();
  abandoned_.clear();
}

// ---- a request needs a connection ------------------------------------------------------------

Pool::Acquired Pool::acquire(Waiter& waiter, bool fresh, const Server* avoids) {
  waiter.turn.wants_fresh = fresh;
  waiter.turn.avoids = avoids;
  if (waiters_.empty() || fresh) {
    Acquired found = find(waiter.turn);
    if (found.kind != Kind::kWaits) return found;
  }
  if (servers_->waiting.fetch_add(1) >= servers_->options.limits.max_queue) {
    servers_->waiting.fetch_sub(1);
    return {Kind::kQueueFull};
  }
  enqueue(waiter);
  // From here on other loops see that a request waits. What became free before that is looked for
  // once more.
  if (waiters_.front() == &waiter) {
    Acquired found = find(waiter.turn);
    if (found.kind != Kind::kWaits) {
      stop_waiting(waiter);
      return found;
    }
  }
  servers_->ask_others(*this);
  return {Kind::kWaits};
}

void Pool::enqueue(Waiter& waiter) {
  waiter.turn.place = waiters_.insert(waiters_.end(), &waiter);
  waiter.turn.since = loop_.now();
  waiter.turn.is_waiting = true;
  set_oldest();
}

void Pool::stop_waiting(Waiter& waiter) {
  if (!std::exchange(waiter.turn.is_waiting, false)) return;
  waiters_.erase(waiter.turn.place);
  servers_->waiting.fetch_sub(1);
  set_oldest();
}

void Pool::set_oldest() {
  oldest_wait_ =
      waiters_.empty() ? kNobodyWaits : waiters_.front()->turn.since.time_since_epoch().count();
}

Pool::Acquired Pool::find(const Waiter::Turn& turn) {
  const bool fresh = turn.wants_fresh;
  servers_->list(candidates_);
  if (turn.avoids != nullptr) {
    std::stable_partition(candidates_.servers.begin(), candidates_.servers.end(),
                          [&turn](const auto& server) { return server.get() != turn.avoids; });
  }
  Acquired failure{Kind::kNoServer};
  bool waits = false;
  for (const std::shared_ptr<Server>& server : candidates_.servers) {
    if (!servers_->begin_request(*server)) continue;
    std::unique_ptr<Connection> connection = fresh ? nullptr : take_idle(*server);
    if (connection == nullptr) {
      Acquired opened = open(server);
      if (opened.kind == Kind::kWaits && fresh && take_idle(*server) != nullptr) {
        opened = open(server);
      }
      connection = std::move(opened.connection);
      waits |= opened.kind == Kind::kWaits;
      if (opened.kind == Kind::kUnreachable) failure = std::move(opened);
    }
    if (connection != nullptr) {
      lend(*connection);
      return {Kind::kConnection, std::move(connection)};
    }
    servers_->end_request(*server);
  }
  if (waits) return {Kind::kWaits};
  return failure;
}

std::unique_ptr<Connection> Pool::take_idle(const Server& server) {
  for (Idle& idle : idle_) {
    if (idle.server.get() != &server) continue;
    while (!idle.connections.empty()) {
      std::unique_ptr<Connection> connection = std::move(idle.connections.back());
      idle.connections.pop_back();
      idle.server->idle.fetch_sub(1);
      if (connection->is_quiet()) return connection;
    }
  }
  return nullptr;
}

Pool::Acquired Pool::open(const std::shared_ptr<Server>& server) {
  ConnectionPermit permit =
      ConnectionPermit::take(server, servers_->options.limits.max_connections);
  if (!permit) return {Kind::kWaits};
  Result<std::unique_ptr<Connection>> opened = Connection::connect(loop_, std::move(permit));
  if (opened.ok()) return {Kind::kConnection, *std::move(opened)};
  if (opened.status().code() == BENTO_RESOURCE_EXHAUSTED) {
    retry_.set(loop_.now() + kRetryConnect);
    return {Kind::kWaits};
  }
  return {Kind::kUnreachable, nullptr, std::move(opened).take_status()};
}

void Pool::lend(Connection& connection) {
  connection.expire_at(kNoDeadline);
  connection.set_place(in_use_.size());
  in_use_.push_back(&connection);
}

// ---- a connection becomes free ---------------------------------------------------------------

void Pool::forget_use(const Connection& connection) {
  in_use_[connection.place()] = in_use_.back();
  in_use_[connection.place()]->set_place(connection.place());
  in_use_.pop_back();
}

void Pool::abandon(std::unique_ptr<Connection> connection) {
  if (connection->has_ended() || connection->server().is_dead) {
    return release(std::move(connection), false);
  }
  forget_use(*connection);
  connection->set_user(*this);
  connection->watch_writing(false);
  abandoned_.push_back(std::move(connection));
}

bool Pool::drop_abandoned(const Connection& connection) {
  const auto at =
      std::find_if(abandoned_.begin(), abandoned_.end(),
                   [&connection](const auto& held) { return held.get() == &connection; });
  if (at == abandoned_.end()) return false;
  const std::shared_ptr<Server> server = connection.server_pointer();
  abandoned_.erase(at);
  servers_->end_request(*server);
  on_permit_free();
  return true;
}

void Pool::release(std::unique_ptr<Connection> connection, bool is_reusable) {
  forget_use(*connection);
  Server& server = connection->server();
  const bool stays = is_reusable && server.takes_requests && !connection->has_ended() &&
                     (!connection->is_readable() || connection->is_quiet());
  if (stays) {
    servers_->end_request(server);
    keep(std::move(connection));
    if (servers_->waiting != 0) share();
    return;
  }
  const std::shared_ptr<Server> held = connection->server_pointer();
  connection.reset();
  servers_->end_request(server);
  on_permit_free();
}

void Pool::keep(std::unique_ptr<Connection> connection) {
  connection->set_user(*this);
  connection->watch_writing(false);
  connection->expire_at(loop_.now() + kMaxIdle);
  const Server& server = connection->server();
  auto idle = std::find_if(idle_.begin(), idle_.end(),
                           [&server](const Idle& i) { return i.server.get() == &server; });
  if (idle == idle_.end()) {
    idle = idle_.insert(idle_.end(), Idle{connection->server_pointer(), {}});
  }
  idle->connections.push_back(std::move(connection));
  idle->server->idle.fetch_add(1);
}

// A server may be given one more connection.
void Pool::on_permit_free() {
  const std::shared_ptr<Pool> next = servers_->next_to_serve(*this);
  if (next == nullptr) return;
  if (next.get() == this) {
    serve();
  } else {
    next->post_serve();
  }
}

void Pool::serve() {
  if (std::exchange(is_serving_, true)) return;  // a request that ends at once calls it again
  while (!waiters_.empty()) {
    Waiter& first = *waiters_.front();
    Acquired found = find(first.turn);
    if (found.kind == Kind::kWaits) {
      const bool is_late =
          retry_.when() != kNoDeadline &&
          loop_.now() - first.turn.since >= servers_->options.limits.connect_timeout;
      if (!is_late) break;
      found = {Kind::kTimedOut};
    }
    stop_waiting(first);
    first.on_acquired(std::move(found));
  }
  is_serving_ = false;
}

// Gives an idle connection to a request that waits, here or on another loop.
void Pool::share() {
  const std::shared_ptr<Pool> next = servers_->next_to_serve(*this);
  if (next == nullptr) return;
  if (next.get() == this) return serve();
  std::unique_ptr<Connection> connection = take_any_idle();
  if (connection != nullptr) next->post_adopt(std::move(*connection).detach());
}

std::unique_ptr<Connection> Pool::take_any_idle() {
  for (const Idle& idle : idle_) {
    if (!idle.server->takes_requests) continue;
    if (auto connection = take_idle(*idle.server)) return connection;
  }
  return nullptr;
}

// ---- idle connections ------------------------------------------------------------------------

void Pool::on_connection(Connection& connection) {
  if (!connection.is_readable() || drop_abandoned(connection)) return;
  drop_idle(connection);
}

void Pool::on_expired(Connection& connection) { drop_idle(connection); }

void Pool::drop_idle(const Connection& connection) {
  for (Idle& idle : idle_) {
    const auto erased = std::erase_if(
        idle.connections, [&connection](const auto& held) { return held.get() == &connection; });
    idle.server->idle.fetch_sub(static_cast<std::uint32_t>(erased));
  }
  on_permit_free();
}

// ---- posted by others ------------------------------------------------------------------------

void Pool::on_timer() { serve(); }

void Pool::post_serve() {
  loop_.post([self = shared_from_this()] { self->serve(); });
}

void Pool::post_share() {
  loop_.post([self = shared_from_this()] { self->share(); });
}

void Pool::post_close_idle(std::shared_ptr<Server> server) {
  loop_.post([self = shared_from_this(), server = std::move(server)] {
    std::erase_if(self->idle_, [&server](const Idle& idle) {
      if (idle.server != server) return false;
      server->idle.fetch_sub(static_cast<std::uint32_t>(idle.connections.size()));
      return true;
    });
  });
}

template <typename Which>
void Pool::lose(Which which) {
  std::vector<Connection*> lost;
  for (Connection* connection : in_use_) {
    if (which(*connection)) lost.push_back(connection);
  }
  for (Connection* connection : lost) {
    // One request's end may end another's use of its connection.
    if (std::find(in_use_.begin(), in_use_.end(), connection) != in_use_.end()) connection->lose();
  }
}

void Pool::post_lose(std::shared_ptr<Server> server) {
  post_close_idle(server);
  loop_.post([self = shared_from_this(), server = std::move(server)] {
    std::size_t abandoned = std::erase_if(self->abandoned_, [&server](const auto& connection) {
      return &connection->server() == server.get();
    });
    for (; abandoned > 0; --abandoned) self->servers_->end_request(*server);
    self->lose([&server](const Connection& one) { return &one.server() == server.get(); });
  });
}

void Pool::post_end(bool tunnels_alone) {
  loop_.post([self = shared_from_this(), tunnels_alone] {
    self->lose([=](const Connection& one) { return !tunnels_alone || one.is_tunnel(); });
  });
}

void Pool::post_adopt(Connection::Detached detached) {
  auto moved = std::make_shared<Connection::Detached>(std::move(detached));
  loop_.post([self = shared_from_this(), moved = std::move(moved)] {
    const bool stays = moved->permit.server()->takes_requests;
    auto attached = Connection::attach(self->loop_, std::move(*moved));
    if (!stays || !attached.ok()) {
      attached = Status();
      return self->on_permit_free();
    }
    self->keep(*std::move(attached));
    self->share();
  });
}

}  // namespace bentohost::upstream
