// Connector: makes one connection to a server: looks its name up, tries its addresses in turn, and
// shakes hands if it is TLS, all within one limit of time. [loop] In a shared_ptr.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "base/clock.h"
#include "base/loop/event_loop.h"
#include "base/status.h"
#include "http/client/connection.h"
#include "http/client/failure.h"
#include "http/client/resolver.h"
#include "http/client/url.h"

namespace bentohost::http {

class Connector final : public std::enable_shared_from_this<Connector>,
                        private ClientConnection::User,
                        private Timer::Owner {
 public:
  // Exactly one of both; afterwards the connector is of no more use. Never from within begin().
  struct Outcome {
    std::unique_ptr<ClientConnection> connection;
    FetchFailure failure;  // if there is no connection
  };
  using Done = std::function<void(Connector&, Outcome)>;

  Connector(std::shared_ptr<EventLoop> loop, Url url, Duration timeout, Done done);
  Duration timeout() const { return timeout_; }

  void begin(Resolver& resolver);

 private:
  void on_found(Result<Whereabouts> found);
  void try_next();
  Status open(const SocketAddress& address);
  void shake_hands();
  // This address is of no use; `failure_` says why.
  void give_up_address(FetchFailure why);
  void finish(Outcome outcome);

  void on_connection(ClientConnection& connection) override;
  void on_expired(ClientConnection& connection) override;
  void on_timer() override;

  const std::shared_ptr<EventLoop> loop_;
  const Url url_;
  const Duration timeout_;
  Done done_;
  Timer timer_;
  TimePoint deadline_{};
  Whereabouts where_;
  std::size_t next_ = 0;  // of where_.addresses
  bool is_connected_ = false;
  std::unique_ptr<ClientConnection> connection_;  // on its way
  FetchFailure failure_;                          // of the address that was tried last
};

}  // namespace bentohost::http
