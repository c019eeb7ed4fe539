#include "upstream/server_set.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "upstream/pool.h"

namespace bentohost::upstream {
namespace {

// How much longer the request of another loop must have waited to be served before one's own.
constexpr std::int64_t kUnfairness = Duration(std::chrono::milliseconds(10)).count();

}  // namespace

ServerSet::ServerSet(UpstreamOptions its_options, UpstreamMetrics its_metrics)
    : options(std::move(its_options)), metrics(std::move(its_metrics)) {}

std::vector<std::shared_ptr<Pool>> ServerSet::pools() const {
  const MutexLock lock(mutex_);
  return pools_;
}

ServerId ServerSet::add(std::string address) {
  ServerId id = 0;
  {
    const MutexLock lock(mutex_);
    id = next_id_++;
    entries_.push_back({std::make_shared<Server>(id, std::move(address)), {}});
    version_.fetch_add(1);
  }
  for (const auto& pool : pools()) pool->post_serve();
  return id;
}

void ServerSet::retire(ServerId id, std::function<void()> drained) {
  std::shared_ptr<Server> server;
  {
    const MutexLock lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.server->id != id) continue;
      server = entry.server;
      entry.drained = std::move(drained);
      server->takes_requests = false;
      version_.fetch_add(1);
    }
  }
  if (server == nullptr) {  // it was removed
    if (drained) drained();
    return;
  }
  if (server->requests == 0) tell_drained(*server);
  for (const auto& pool : pools()) {
    pool->post_close_idle(server);
    pool->post_serve();
  }
}

void ServerSet::remove(ServerId id) {
  std::shared_ptr<Server> server;
  {
    const MutexLock lock(mutex_);
    for (Entry& entry : entries_) {
      if (entry.server->id != id) continue;
      server = entry.server;
      server->takes_requests = false;
      server->is_dead = true;
      version_.fetch_add(1);
    }
  }
  if (server == nullptr) return;
  if (server->requests == 0) tell_drained(*server);
  for (const auto& pool : pools()) {
    pool->post_lose(server);
    pool->post_serve();
  }
}

void ServerSet::tell_drained(const Server& server) {
  std::function<void()> drained;
  {
    const MutexLock lock(mutex_);
    const auto entry = std::find_if(entries_.begin(), entries_.end(), [&server](const Entry& e) {
      return e.server.get() == &server;
    });
    if (entry == entries_.end()) return;
    drained = std::exchange(entry->drained, nullptr);
    if (server.is_dead) entries_.erase(entry);
  }
  if (drained) drained();
}

bool ServerSet::begin_request(Server& server) {
  server.requests.fetch_add(1);
  if (server.takes_requests) return true;
  end_request(server);
  return false;
}

void ServerSet::end_request(Server& server) {
  if (server.requests.fetch_sub(1) == 1 && !server.takes_requests) tell_drained(server);
}

void ServerSet::set_reason(std::string reason, Duration retry_after) {
  const MutexLock lock(mutex_);
  reason_ = std::move(reason);
  retry_after_ = retry_after;
}

ServerSet::Absence ServerSet::absence() const {
  const MutexLock lock(mutex_);
  std::string why = reason_.empty() ? "the app at " + options.name + " is not running" : reason_;
  return {Status(BENTO_UNAVAILABLE, std::move(why)), retry_after_};
}

std::size_t ServerSet::serving() const {
  const MutexLock lock(mutex_);
  return static_cast<std::size_t>(
      std::count_if(entries_.begin(), entries_.end(),
                    [](const Entry& entry) { return entry.server->takes_requests.load(); }));
}

Status ServerSet::availability() const { return serving() != 0 ? Status() : absence().status; }

std::uint64_t ServerSet::served(ServerId id) const {
  const MutexLock lock(mutex_);
  for (const Entry& entry : entries_) {
    if (entry.server->id == id) return entry.server->served;
  }
  return 0;
}

std::size_t ServerSet::connections() const {
  const MutexLock lock(mutex_);
  std::size_t open = 0;
  for (const Entry& entry : entries_) open += entry.server->connections;
  return open;
}

void ServerSet::end_requests(bool tunnels_alone) {
  for (const auto& pool : pools()) pool->post_end(tunnels_alone);
}

void ServerSet::close() {
  std::vector<std::shared_ptr<Pool>> leaving;
  {
    const MutexLock lock(mutex_);
    leaving.swap(pools_);
    for (std::atomic<Pool*>& known : known_pools_) known = nullptr;
  }
  for (std::shared_ptr<Pool>& pool : leaving) {
    EventLoop& loop = pool->loop();
    loop.post([last = std::move(pool)] { last->close(); });
  }
}

void ServerSet::list(Listed& listed) const {
  std::vector<std::shared_ptr<Server>>& servers = listed.servers;
  if (listed.version != version_.load()) {
    servers.clear();
    const MutexLock lock(mutex_);
    listed.version = version_.load();
    for (const Entry& entry : entries_) {
      if (entry.server->takes_requests) servers.push_back(entry.server);
    }
  }
  // The counts change meanwhile: they are read once.
  for (std::size_t i = 1; i < servers.size(); ++i) {
    const std::uint32_t requests = servers[i]->requests;
    for (std::size_t at = i; at > 0 && requests < servers[at - 1]->requests; --at) {
      std::swap(servers[at], servers[at - 1]);
    }
  }
}

Pool& ServerSet::pool_of(EventLoop& loop) {
  for (const std::atomic<Pool*>& known : known_pools_) {
    Pool* const pool = known.load(std::memory_order_acquire);
    if (pool == nullptr) break;
    if (&pool->loop() == &loop) return *pool;
  }
  const MutexLock lock(mutex_);
  for (const auto& pool : pools_) {
    if (&pool->loop() == &loop) return *pool;
  }
  Pool& added = *pools_.emplace_back(std::make_shared<Pool>(loop, shared_from_this()));
  if (pools_.size() <= known_pools_.size()) {
    known_pools_[pools_.size() - 1].store(&added, std::memory_order_release);
  }
  return added;
}

std::shared_ptr<Pool> ServerSet::next_to_serve(const Pool& here) const {
  if (waiting == 0) return nullptr;
  const MutexLock lock(mutex_);
  std::shared_ptr<Pool> next;
  std::int64_t first = std::numeric_limits<std::int64_t>::max();
  for (const auto& pool : pools_) {
    std::int64_t since = pool->oldest_wait();
    if (since == Pool::kNobodyWaits) continue;
    if (pool.get() == &here) since -= kUnfairness;
    if (since >= first) continue;
    first = since;
    next = pool;
  }
  return next;
}

void ServerSet::ask_others(const Pool& waiting_pool) {
  {
    const MutexLock lock(mutex_);
    if (std::none_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
          return entry.server->takes_requests && entry.server->idle > 0;
        })) {
      return;
    }
  }
  for (const auto& pool : pools()) {
    if (pool.get() != &waiting_pool) pool->post_share();
  }
}

}  // namespace bentohost::upstream
