#include "supervise/fallback_server.h"

#include <fcntl.h>

#include <utility>

#include "base/clock.h"
#include "http/problem.h"

namespace bentohost::supervise {
namespace {

// How long clients may take to read at the end: it delays the next start of a serving process.
constexpr Duration kFarewell = std::chrono::milliseconds(20);

const SteadyClock& clock() {
  static const SteadyClock clock;
  return clock;
}

}  // namespace

class FallbackServer::Answers final : public http::Application {
 public:
  http::BodyPlan plan(const http::Request&) override { return {}; }
  void handle(http::Exchange& exchange) override {
    http::Response response = http::problem(503, "the service has crashed and is being restarted",
                                            exchange.request().path);
    response.close = true;
    exchange.respond(std::move(response));
  }
  void refuse(http::Exchange& exchange, http::Refusal refusal) override {
    exchange.respond(http::problem(refusal, exchange.request().path));
  }
  void aborted(std::string_view) override {}
  void connections(std::size_t) override {}
};

FallbackServer::FallbackServer(http::ServerOptions options,
                               const std::vector<http::Listener>& listeners)
    : answers_(std::make_unique<Answers>()), loop_(std::make_shared<EventLoop>(clock())) {
  server_ =
      std::make_unique<http::Server>(std::move(options), *answers_, http::Server::Loops{loop_});
  std::vector<http::Listener> copies;
  for (const http::Listener& each : listeners) {
    http::Listener copy{UniqueFd(::fcntl(each.fd.get(), F_DUPFD_CLOEXEC, 3)), each.address};
    copy.role = each.role;
    if (copy.fd) copies.push_back(std::move(copy));
  }
  server_->listen(std::move(copies));
  loop_->start();
  server_->serve();
}

FallbackServer::~FallbackServer() {
  server_->stop(clock().now() + kFarewell);
  loop_->stop();
}

}  // namespace bentohost::supervise
