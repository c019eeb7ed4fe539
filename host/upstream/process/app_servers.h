// AppServers: the seam through which a mount's processes tell the proxy where requests may go. A
// server is a process that answers HTTP at an address. Any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/clock.h"

namespace bentohost::upstream {

class AppServers {
 public:
  using ServerId = std::uint64_t;
  virtual ~AppServers() = default;

  // From now on the server at `address` gets requests: the path of a Unix socket, which begins with
  // a slash, or "127.0.0.1:PORT".
  virtual ServerId add(std::string address) = 0;
  // No new requests for it. `drained` is called once, on any thread, when its last request has
  // ended: perhaps before this returns.
  virtual void retire(ServerId server, std::function<void()> drained) = 0;
  // It is dead: its connections are dropped. If it was retired and is not drained yet, `drained` is
  // called now or never.
  virtual void remove(ServerId server) = 0;
  // Why there is no server, for those whose requests arrive meanwhile, and when to try again.
  virtual void set_reason(std::string reason, Duration retry_after) = 0;
  // How many requests it has answered.
  virtual std::uint64_t served(ServerId server) const = 0;
};

// The seam on an object that has these functions: AppServersOf<Upstream>.
template <typename T>
class AppServersOf final : public AppServers {
 public:
  explicit AppServersOf(std::shared_ptr<T> servers) : servers_(std::move(servers)) {}

  ServerId add(std::string address) override { return servers_->add(std::move(address)); }
  void retire(ServerId server, std::function<void()> drained) override {
    servers_->retire(server, std::move(drained));
  }
  void remove(ServerId server) override { servers_->remove(server); }
  void set_reason(std::string reason, Duration retry_after) override {
    servers_->set_reason(std::move(reason), retry_after);
  }
  std::uint64_t served(ServerId server) const override { return servers_->served(server); }

 private:
  const std::shared_ptr<T> servers_;
};

}  // namespace bentohost::upstream
