#include "http/server.h"

#include <thread>
#include <utility>

#include "base/unique_fd.h"
#include "http/httplib_front.h"
#include "http/listener.h"
#include "http/thread_pool.h"

namespace bentohost::http {
namespace {

// For threads whose connection was cut, outside of a handler.
constexpr Duration kCutGrace = std::chrono::seconds(1);

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Handler handler, Rejected rejected)
      : host_(options.host),
        port_(options.port),
        pool_(options.max_threads),
        front_(std::make_shared<HttplibFront>(std::move(options), std::move(handler),
                                              std::move(rejected))) {}

  Status bind() {
    Result<UniqueFd> listener = listen_on(host_, port_);
    if (!listener.ok()) return std::move(listener).take_status();
    listener_ = std::move(*listener);
    port_ = local_port(listener_);
    return Status();
  }

  std::uint16_t port() const { return port_; }
  std::string url() const { return "http://" + authority(host_, port_); }

  void serve() {
    accepting_ = std::thread([this] { front_->accept(listener_.get(), pool_); });
  }

  void drain() { front_->connections().drain(); }

  std::size_t stop(TimePoint deadline) {
    if (std::exchange(is_stopped_, true)) return 0;
    if (listener_) front_->stop_accepting(listener_.get());
    if (accepting_.joinable()) accepting_.join();
    listener_.reset();

    Connections& connections = front_->connections();
    connections.stop();
    connections.wait_until_none(deadline);
    const std::size_t cut = connections.cut();
    pool_.stop(SteadyClock().now() + kCutGrace);
    return cut;
  }

 private:
  const std::string host_;
  std::uint16_t port_;
  UniqueFd listener_;
  ThreadPool pool_;
  // Shared with the connections: a thread that is left behind in a handler still needs it.
  std::shared_ptr<HttplibFront> front_;
  std::thread accepting_;
  bool is_stopped_ = false;
};

Server::Server(ServerOptions options, Handler handler, Rejected rejected)
    : impl_(std::make_unique<Impl>(std::move(options), std::move(handler), std::move(rejected))) {}

Server::~Server() { impl_->stop(TimePoint::min()); }

Status Server::bind() { return impl_->bind(); }
std::uint16_t Server::port() const { return impl_->port(); }
std::string Server::url() const { return impl_->url(); }
void Server::serve() { impl_->serve(); }
void Server::drain() { impl_->drain(); }
std::size_t Server::stop(TimePoint deadline) { return impl_->stop(deadline); }

}  // namespace bentohost::http
