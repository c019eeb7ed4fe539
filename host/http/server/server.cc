#include "http/server/server.h"

#include <algorithm>
#include <latch>
#include <utility>

#include "http/server/acceptor.h"
#include "http/server/loop_connections.h"
#include "http/server/server_state.h"

namespace bentohost::http {
namespace {

// The loops have this long to close the remaining connections: they do nothing else then.
constexpr Duration kAbortTime = std::chrono::seconds(5);

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Application& application, Loops loops)
      : options_(std::move(options)),
        server_(std::make_shared<ServerState>(options_.limits, options_.proxies, application,
                                              options_.threads, options_.body_memory)) {
    for (auto& loop : loops) {
      loops_.push_back(std::make_shared<LoopConnections>(std::move(loop), server_));
    }
  }

  void listen(std::vector<Listener> listeners) {
    for (Listener& listener : listeners) {
      const bool is_public = listener.role == ListenerRole::kPublic;
      listener.secure = is_public && options_.tls != nullptr && listener.address.path.empty();
      std::vector<std::string>& urls = is_public ? urls_ : admin_urls_;
      // Several listeners may share a URL: a name may have several addresses.
      const bool is_told = std::find(urls.begin(), urls.end(), listener.url()) != urls.end();
      if (!is_told) urls.push_back(listener.url());
    }
    acceptor_ = std::make_unique<Acceptor>(std::move(listeners), options_.tls, loops_);
  }

  const std::vector<std::string>& urls(ListenerRole role) const {
    return role == ListenerRole::kAdmin ? admin_urls_ : urls_;
  }
  std::size_t open() const { return server_->open(); }

  void serve() {
    is_serving_ = true;
    loop().post([this] { acceptor_->start(); });
  }

  void drain() { enter(Mode::kDraining); }

  void stop_accepting() {
    std::latch stopped(1);
    loop().post([&] {
      if (acceptor_ != nullptr) acceptor_->stop();
      acceptor_.reset();  // on the loop, which owns its timer
      stopped.count_down();
    });
    stopped.wait();
  }

  std::size_t stop(TimePoint deadline) {
    if (!std::exchange(is_serving_, false)) return 0;
    stop_accepting();
    enter(Mode::kStopping);
    if (server_->wait_until_none(deadline)) return 0;
    const std::size_t aborted = server_->open();
    for (const auto& loop_connections : loops_) loop_connections->close_all();
    server_->wait_until_none(SteadyClock().now() + kAbortTime);
    return aborted;
  }

 private:
  EventLoop& loop() { return *loops_.front()->loop(); }

  void enter(Mode mode) {
    server_->enter(mode);
    for (const auto& loop_connections : loops_) loop_connections->tell_mode();
  }

  const ServerOptions options_;
  const std::shared_ptr<ServerState> server_;
  std::vector<std::shared_ptr<LoopConnections>> loops_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::string> urls_, admin_urls_;
  bool is_serving_ = false;
};

Server::Server(ServerOptions options, Application& application, Loops loops)
    : impl_(std::make_unique<Impl>(std::move(options), application, std::move(loops))) {}

Server::~Server() { impl_->stop(TimePoint::min()); }

void Server::listen(std::vector<Listener> listeners) { impl_->listen(std::move(listeners)); }
std::vector<std::string> Server::urls(ListenerRole role) const { return impl_->urls(role); }
void Server::serve() { impl_->serve(); }
std::size_t Server::open_connections() const { return impl_->open(); }
void Server::stop_accepting() { impl_->stop_accepting(); }
void Server::drain() { impl_->drain(); }
std::size_t Server::stop(TimePoint deadline) { return impl_->stop(deadline); }

}  // namespace bentohost::http
