#include "http/server.h"

#include <algorithm>
#include <latch>
#include <utility>

#include "http/acceptor.h"
#include "http/front.h"
#include "http/reactor.h"

namespace bentohost::http {
namespace {

// For the loops to close what is left: they do nothing else then.
constexpr Duration kCutTime = std::chrono::seconds(5);

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Application& application, Loops loops)
      : options_(std::move(options)),
        front_(std::make_shared<Front>(options_.limits, options_.proxies, application,
                                       options_.threads, options_.body_memory)) {
    for (auto& loop : loops) {
      reactors_.push_back(std::make_shared<Reactor>(std::move(loop), front_));
    }
  }

  void listen(std::vector<Listener> listeners) {
    for (Listener& listener : listeners) {
      const bool is_public = listener.door == Door::kPublic;
      listener.secure = is_public && options_.tls != nullptr && listener.address.path.empty();
      std::vector<std::string>& urls = is_public ? urls_ : admin_urls_;
      // A name may have several addresses.
      const bool is_told = std::find(urls.begin(), urls.end(), listener.url()) != urls.end();
      if (!is_told) urls.push_back(listener.url());
    }
    acceptor_ = std::make_unique<Acceptor>(std::move(listeners), options_.tls, reactors_);
  }

  const std::vector<std::string>& urls(Door door) const {
    return door == Door::kAdmin ? admin_urls_ : urls_;
  }
  std::size_t open() const { return front_->open(); }

  void serve() {
    is_serving_ = true;
    loop().post([this] { acceptor_->start(); });
  }

  void drain() { enter(Mode::kDraining); }

  void stop_accepting() {
    std::latch stopped(1);
    loop().post([&] {
      if (acceptor_ != nullptr) acceptor_->stop();
      acceptor_.reset();  // here: its timer is the loop's
      stopped.count_down();
    });
    stopped.wait();
  }

  std::size_t stop(TimePoint deadline) {
    if (!std::exchange(is_serving_, false)) return 0;
    stop_accepting();
    enter(Mode::kStopping);
    if (front_->wait_until_none(deadline)) return 0;
    const std::size_t cut = front_->open();
    for (const auto& reactor : reactors_) reactor->close_all();
    front_->wait_until_none(SteadyClock().now() + kCutTime);
    return cut;
  }

 private:
  EventLoop& loop() { return *reactors_.front()->loop(); }

  void enter(Mode mode) {
    front_->enter(mode);
    for (const auto& reactor : reactors_) reactor->tell_mode();
  }

  const ServerOptions options_;
  const std::shared_ptr<Front> front_;
  std::vector<std::shared_ptr<Reactor>> reactors_;
  std::unique_ptr<Acceptor> acceptor_;
  std::vector<std::string> urls_, admin_urls_;
  bool is_serving_ = false;
};

Server::Server(ServerOptions options, Application& application, Loops loops)
    : impl_(std::make_unique<Impl>(std::move(options), application, std::move(loops))) {}

Server::~Server() { impl_->stop(TimePoint::min()); }

void Server::listen(std::vector<Listener> listeners) { impl_->listen(std::move(listeners)); }
std::vector<std::string> Server::urls(Door door) const { return impl_->urls(door); }
void Server::serve() { impl_->serve(); }
std::size_t Server::open_connections() const { return impl_->open(); }
void Server::stop_accepting() { impl_->stop_accepting(); }
void Server::drain() { impl_->drain(); }
std::size_t Server::stop(TimePoint deadline) { return impl_->stop(deadline); }

}  // namespace bentohost::http
