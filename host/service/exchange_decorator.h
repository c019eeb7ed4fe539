// ExchangeDecorator: an exchange around another one. It passes every call on to the exchange
// outside of it; a derived class overrides the calls that it changes.
#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::service {

class ExchangeDecorator : public http::Exchange {
 public:
  ExchangeDecorator(const ExchangeDecorator&) = delete;
  ExchangeDecorator& operator=(const ExchangeDecorator&) = delete;

  // take_target() is not passed on: only the connection's exchange has a plan.
  const http::Request& request() const override { return outer_.request(); }
  std::string take_body() override { return outer_.take_body(); }
  std::size_t body_bytes() const override { return outer_.body_bytes(); }
  void respond(http::Response&& response) override { outer_.respond(std::move(response)); }
  void allow_stream() override { outer_.allow_stream(); }
  Result<http::ReceivedBody> receive() override { return outer_.receive(); }
  Status start(http::Response response) override { return outer_.start(std::move(response)); }
  Status write(std::string_view bytes, bool more) override { return outer_.write(bytes, more); }
  void abort() override { outer_.abort(); }
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> events) override {
    return outer_.answer_on_loop(std::move(events));
  }
  bool has_room() const override { return outer_.has_room(); }
  void after_sent(std::function<void()> f) override { outer_.after_sent(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<http::DeadlineResponder> late) override {
    outer_.answer_by(when, std::move(late));
  }
  void tighten_deadline(TimePoint when) override { outer_.tighten_deadline(when); }
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return outer_.cancelled(); }

 protected:
  // `outer` must live until this exchange is answered.
  explicit ExchangeDecorator(http::Exchange& outer) : outer_(outer) {}
  ~ExchangeDecorator() = default;

  http::Exchange& outer() const { return outer_; }

 private:
  http::Exchange& outer_;
};

}  // namespace bentohost::service
