// Connections: all open connections of a server, and what they are told: serve, drain, stop, or end
// at once. Any thread. A thread that is left behind in a handler may use it after the server is
// gone, so it is owned together with them.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <unordered_set>

#include "base/clock.h"

namespace bentohost::http {

// What other threads may do to a connection.
class Interruptible {
 public:
  // Ends a long wait for a next request. One that has just begun is left to end by itself, in a
  // second.
  virtual void end_idle_wait() = 0;
  virtual void cut() = 0;

 protected:
  ~Interruptible() = default;
};

class Connections {
 public:
  enum class Mode {
    kServing,
    kDraining,  // answer what is asked, say Connection: close, keep nothing alive
    kStopping,  // nobody waits for a first request either
    kCut,       // nothing begins any more
  };

  // `threads` is how many of them can be served at once.
  explicit Connections(std::size_t threads) : threads_(threads) {}

  // A connection is open from admit(), when it was accepted, to leave(); in between, on a thread,
  // it can be interrupted: attach() to detach().
  void admit();
  void attach(Interruptible& connection);
  void detach(Interruptible& connection);
  void leave();

  Mode mode() const { return mode_.load(); }
  // Whether accepted connections wait for one of the threads that are all taken.
  bool others_wait() const { return open_.load(std::memory_order_relaxed) > threads_; }

  void drain() { enter(Mode::kDraining); }
  void stop() { enter(Mode::kStopping); }
  bool wait_until_none(TimePoint deadline);
  // Returns how many were open.
  std::size_t cut();

 private:
  void enter(Mode mode);

  const std::size_t threads_;
  std::atomic<Mode> mode_ = Mode::kServing;
  std::atomic<std::size_t> open_ = 0;  // changed under mutex_
  std::mutex mutex_;
  std::condition_variable left_;
  std::unordered_set<Interruptible*> attached_;
};

}  // namespace bentohost::http
