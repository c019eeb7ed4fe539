// ServerSet: what all loops share of an Upstream: its servers, its pools, and its counts. Upstream
// owns it, and so do the pools, which may be busy for a moment longer. [any]
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/mutex.h"
#include "base/status.h"
#include "upstream/server.h"
#include "upstream/upstream_metrics.h"
#include "upstream/upstream_options.h"

namespace bentohost::upstream {

class Pool;

class ServerSet : public std::enable_shared_from_this<ServerSet> {
 public:
  ServerSet(UpstreamOptions its_options, UpstreamMetrics its_metrics);

  const UpstreamOptions options;
  const UpstreamMetrics metrics;
  std::atomic<std::size_t> in_flight = 0;
  std::atomic<std::size_t> waiting = 0;

  // As in Upstream.
  ServerId add(std::string address);
  void retire(ServerId id, std::function<void()> drained);
  void remove(ServerId id);
  void set_reason(std::string reason, Duration retry_after);
  std::uint64_t served(ServerId id) const;
  std::size_t connections() const;
  std::size_t serving() const;
  void end_requests(bool tunnels_alone);
  // Gives each pool away to its loop, where it ends.
  void close();

  // Why no server takes requests.
  struct Absence {
    Status status;
    Duration retry_after;
  };
  Absence absence() const;
  Status availability() const;

  // A list of the servers that take requests, which its owner keeps from one request to the next.
  struct Listed {
    std::vector<std::shared_ptr<Server>> servers;  // the least busy one first
    std::uint64_t version = 0;
  };
  // Brings the list up to date, without a lock as long as the servers are the same.
  void list(Listed& listed) const;
  // Counts a request in. False, and it is not counted, if the server takes none any more.
  bool begin_request(Server& server);
  void end_request(Server& server);

  // [loop] It lives until close(). Takes a lock for a loop that it does not know.
  Pool& pool_of(EventLoop& loop);
  // Whose waiting request should get a connection that is free on the loop of `here`: a pool's own
  // go first, because that wakes no other loop, unless another one's has waited much longer. Null:
  // no request waits.
  std::shared_ptr<Pool> next_to_serve(const Pool& here) const;
  // A request waits, and an idle connection may be on another loop.
  void ask_others(const Pool& waiting_pool);

 private:
  struct Entry {
    std::shared_ptr<Server> server;
    std::function<void()> drained;
  };
  std::vector<std::shared_ptr<Pool>> pools() const;
  void tell_drained(const Server& server);

  mutable Mutex mutex_;
  std::vector<Entry> entries_ BENTO_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Pool>> pools_ BENTO_GUARDED_BY(mutex_);
  std::string reason_ BENTO_GUARDED_BY(mutex_);
  Duration retry_after_ BENTO_GUARDED_BY(mutex_) = std::chrono::seconds(1);
  ServerId next_id_ BENTO_GUARDED_BY(mutex_) = 1;
  std::atomic<std::uint64_t> version_ = 1;  // of the servers; changed under mutex_
  // The first of pools_, for pool_of(); changed under mutex_.
  static constexpr std::size_t kKnownPools = 16;
  std::array<std::atomic<Pool*>, kKnownPools> known_pools_{};
};

}  // namespace bentohost::upstream
