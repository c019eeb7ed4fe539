// Origin: the connections of one loop to one server (scheme, host and port): idle ones, those in
// use, those being made, and the requests that wait for one. [loop] In a shared_ptr.
//
// A request gets an idle connection, or waits in order for the first that becomes free or has been
// made. As many are made as requests wait, up to a limit. When one cannot be made, the first
// request that waits fails with the reason.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "http/client/connection.h"
#include "http/client/connector.h"
#include "http/client/failure.h"
#include "http/client/resolver.h"
#include "http/client/url.h"

namespace bentohost::http {

struct ClientOptions {
  std::size_t max_connections = 32;  // to an origin, of a loop
  std::size_t max_waiting = 1024;    // requests that wait for a connection to it
  std::size_t max_idle = 256;        // connections of a loop
  Duration idle_timeout = std::chrono::seconds(30);
};

// What the origins of a loop share.
struct ClientLoop {
  ClientLoop(std::shared_ptr<EventLoop> its_loop, Resolver& its_resolver, ClientOptions its_options)
      : loop(std::move(its_loop)), resolver(its_resolver), options(its_options) {}

  const std::shared_ptr<EventLoop> loop;
  Resolver& resolver;
  const ClientOptions options;
  std::size_t idle = 0;  // connections
};

class Origin final : public std::enable_shared_from_this<Origin>, private ClientConnection::User {
 public:
  class Waiter {
   public:
    virtual void on_acquired(std::unique_ptr<ClientConnection> connection) = 0;
    virtual void on_no_connection(FetchFailure failure) = 0;

    // The origin's.
    struct Turn {
      std::list<Waiter*>::iterator place;
      bool is_waiting = false;
      bool wants_fresh = false;
      Duration connect_timeout{};
    } turn;

   protected:
    ~Waiter() = default;
  };

  Origin(ClientLoop& shared, Url url);  // of the URL only the origin counts
  ~Origin();

  // An idle connection, or null: then `waiter` is called later, once, unless it stops waiting. A
  // failure: too many wait. `fresh`: one that no request has used.
  struct Acquired {
    std::unique_ptr<ClientConnection> connection;
    FetchFailure failure;
  };
  Acquired acquire(Waiter& waiter, bool fresh, Duration connect_timeout);
  void stop_waiting(Waiter& waiter);
  // Takes a connection back. `is_reusable`: another request may use it.
  void release(std::unique_ptr<ClientConnection> connection, bool is_reusable);
  // Closes what no request uses.
  void close_idle();
  // Nothing is kept here for a later request.
  bool is_unused() const {
    return in_use_ == 0 && idle_.empty() && connectors_.empty() && waiters_.empty();
  }

 private:
  std::size_t open() const { return in_use_ + idle_.size() + connectors_.size(); }
  std::unique_ptr<ClientConnection> take_idle();
  void drop_idle(const ClientConnection& connection);
  void connect();
  void on_connected(const Connector& connector, Connector::Outcome outcome);
  Waiter* take_waiter(bool also_fresh);

  // Of an idle connection.
  void on_connection(ClientConnection& connection) override;
  void on_expired(ClientConnection& connection) override { drop_idle(connection); }

  ClientLoop& shared_;
  const Url url_;
  std::size_t in_use_ = 0;
  std::vector<std::unique_ptr<ClientConnection>> idle_;  // the last one was used last
  std::vector<std::shared_ptr<Connector>> connectors_;
  std::list<Waiter*> waiters_;
};

}  // namespace bentohost::http
