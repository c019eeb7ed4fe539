// Pool: the connections of one loop to the servers of an Upstream: the idle ones, those in use, and
// the requests that wait for one. [loop] but for what is marked.
//
// A request gets an idle connection to the least busy server, or a new one, or waits. It waits at
// its own loop; a connection that becomes free on another loop moves over, if no request waits
// there.
#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <list>
#include <memory>
#include <vector>

#include "base/loop/event_loop.h"
#include "base/status.h"
#include "upstream/connection.h"
#include "upstream/server_set.h"

namespace bentohost::upstream {

class Pool final : public std::enable_shared_from_this<Pool>,
                   private Connection::User,
                   private Timer::Owner {
 public:
  // Servers should keep idle connections for longer: uvicorn and gunicorn are started with 75 s.
  static constexpr Duration kMaxIdle = std::chrono::seconds(60);

  struct Acquired {
    enum class Kind {
      kConnection,
      kWaits,        // on_acquired() tells when there is one
      kNoServer,     // no server takes requests
      kQueueFull,    // too many requests wait
      kUnreachable,  // no server accepts connections; `why`
      kTimedOut,     // the servers' backlogs were full for the connect timeout
    };
    Kind kind;
    std::unique_ptr<Connection> connection = nullptr;
    Status why = {};
  };

  class Waiter {
   public:
    virtual void on_acquired(Acquired acquired) = 0;

    // The pool's.
    struct Turn {
      std::list<Waiter*>::iterator place;
      TimePoint since{};
      bool is_waiting = false;
      bool wants_fresh = false;
      const Server* avoids = nullptr;  // taken only if there is no other
    } turn;

   protected:
    ~Waiter() = default;
  };

  Pool(EventLoop& loop, std::shared_ptr<ServerSet> servers);

  EventLoop& loop() const { return loop_; }  // [any]

  // `fresh`: a new connection, even if an idle one must be closed for it, and rather to any server
  // than to the one that `avoids` names, which may just be dying.
  Acquired acquire(Waiter& waiter, bool fresh, const Server* avoids = nullptr);
  void stop_waiting(Waiter& waiter);
  // Takes a connection back. `is_reusable`: another request may use it.
  void release(std::unique_ptr<Connection> connection, bool is_reusable);
  // Takes a connection whose request nobody waits for any more, but the server still works at: it
  // counts until the server sends something, or ends it.
  void abandon(std::unique_ptr<Connection> connection);
  // Closes the connections that no request uses.
  void close();

  // [any] Since when its first request waits, in the loop's time.
  static constexpr std::int64_t kNobodyWaits = std::numeric_limits<std::int64_t>::max();
  std::int64_t oldest_wait() const { return oldest_wait_.load(std::memory_order_relaxed); }
  // [any]
  void post_serve();                                     // there may be a connection
  void post_share();                                     // others may need its idle ones
  void post_close_idle(std::shared_ptr<Server> server);  // it has been retired
  void post_lose(std::shared_ptr<Server> server);        // it is dead
  void post_end(bool tunnels_alone);                     // ends requests, as if servers had
  void post_adopt(Connection::Detached detached);        // from another loop

 private:
  struct Idle {
    std::shared_ptr<Server> server;
    std::vector<std::unique_ptr<Connection>> connections;  // the last one was used last
  };

  void on_connection(Connection& connection) override;  // an idle one has ended, or sent something
  void on_expired(Connection& connection) override;
  void on_timer() override;

  Acquired find(const Waiter::Turn& turn);
  std::unique_ptr<Connection> take_idle(const Server& server);
  Acquired open(const std::shared_ptr<Server>& server);
  void lend(Connection& connection);
  void keep(std::unique_ptr<Connection> connection);
  void drop_idle(const Connection& connection);
  void forget_use(const Connection& connection);
  bool drop_abandoned(const Connection& connection);
  template <typename Which>
  void lose(Which which);
  std::unique_ptr<Connection> take_any_idle();
  void enqueue(Waiter& waiter);
  void set_oldest();
  void serve();
  void share();
  void on_permit_free();

  EventLoop& loop_;
  const std::shared_ptr<ServerSet> servers_;
  std::vector<Idle> idle_;
  std::vector<Connection*> in_use_;
  std::vector<std::unique_ptr<Connection>> abandoned_;
  std::list<Waiter*> waiters_;
  std::atomic<std::int64_t> oldest_wait_ = kNobodyWaits;
  ServerSet::Listed candidates_;
  Timer retry_;  // when a backlog was full
  bool is_serving_ = false;
};

}  // namespace bentohost::upstream
