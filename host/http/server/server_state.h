// ServerState: what all connections of a server share: its limits, its application, and its mode:
// serving, draining or stopping. Any thread. The connections share its ownership, so that a
// connection whose handler never returns still has it.
#pragma once

#include <atomic>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/loop/thread_pool.h"
#include "base/memory_budget.h"
#include "base/mutex.h"
#include "http/message.h"
#include "http/parse/forwarded.h"
#include "http/server/limits.h"

namespace bentohost::http {

enum class Mode {
  kServing,
  kDraining,  // requests are answered with Connection: close; no connection is kept alive
  kStopping,  // new connections do not wait for their first request either
};

class ServerState {
 public:
  ServerState(const Limits& its_limits, TrustedProxies its_proxies, Application& its_application,
              ThreadPool* its_threads = nullptr, MemoryBudget* its_body_memory = nullptr)
      : limits(its_limits),
        proxies(std::move(its_proxies)),
        application(its_application),
        threads(its_threads),
        body_memory(its_body_memory) {}

  const Limits limits;
  const TrustedProxies proxies;
  Application& application;
  ThreadPool* const threads;        // for work that would hold up a loop; null: no threads
  MemoryBudget* const body_memory;  // null: no limit

  Mode mode() const { return mode_.load(std::memory_order_relaxed); }
  void enter(Mode mode) { mode_ = mode; }

  // A connection is open from opened() to closed(). `client` is its "address:port". Returns the
  // label of the limit that the connection would exceed; empty if it is within the limits.
  std::string_view opened(std::string_view client, ListenerRole role = ListenerRole::kPublic);
  void closed(std::string_view client, ListenerRole role = ListenerRole::kPublic);
  std::size_t open() const { return open_.load(std::memory_order_relaxed); }
  bool wait_until_none(TimePoint deadline) {
    const MutexLock lock(mutex_);
    while (open_ != 0) {
      if (closed_.wait_until(mutex_, deadline) == std::cv_status::timeout) return open_ == 0;
    }
    return true;
  }

 private:
  std::atomic<Mode> mode_ = Mode::kServing;
  std::atomic<std::size_t> open_ = 0;  // changed under mutex_
  Mutex mutex_;
  std::size_t open_to_operators_ BENTO_GUARDED_BY(mutex_) = 0;
  CondVar closed_;
  std::map<std::string, std::size_t, std::less<>> clients_
      BENTO_GUARDED_BY(mutex_);  // empty without a limit
};

}  // namespace bentohost::http
