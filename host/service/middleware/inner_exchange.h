// InnerExchange: the exchange inside of a middleware that may wait. Its request is the one that the
// middleware passed on; its response goes into the channel that the middleware handed on. A whole
// response may come from any thread, and the thread that waits in finish() sends it; the pieces of
// a streamed response come on that thread.
#pragma once

#include <bento/abi.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/mutex.h"
#include "base/status.h"
#include "http/message.h"
#include "service/exchange_decorator.h"

namespace bentohost::service {

class InnerExchange final : public ExchangeDecorator {
 public:
  // `outer` and the channel of `call` must live until finish() has returned; `keep` is kept.
  // INVALID_ARGUMENT when the request in `call` is malformed.
  static Result<std::shared_ptr<InnerExchange>> make(http::Exchange& outer, const bento_call& call,
                                                     std::shared_ptr<const void> keep);
  InnerExchange(http::Exchange& outer, bento_channel& channel, std::shared_ptr<const void> keep)
      : ExchangeDecorator(outer), channel_(channel), keep_(std::move(keep)) {}

  // [worker] (waits) Until the exchange is answered, and the response sent. A failure is not sent:
  // it is returned, and the response made from it is left in `failed`.
  Status finish(std::optional<http::Response>& failed);
  // [worker] Sends a whole response.
  Status send(const http::Response& response);

  // http::Exchange
  const http::Request& request() const override { return request_; }
  std::string take_body() override { return {}; }  // the body is streamed
  void respond(http::Response&& response) override;
  void allow_stream() override {}  // streaming is always allowed
  // The thread that waits in finish() answers.
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents>) override { return nullptr; }
  Result<http::ReceivedBody> receive() override;
  Status start(http::Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void abort() override;
  // The outer exchange watches the deadline.
  void answer_by(TimePoint, std::shared_ptr<http::DeadlineResponder>) override {}

 private:
  Status take(const bento_scope& scope);
  void end(std::optional<Status> aborted);
  Status send(const bento_event& event);
  Status send_start(const http::Response& response);
  Status send_body(std::string_view bytes, bool more);

  bento_channel& channel_;
  const std::shared_ptr<const void> keep_;
  http::Request request_;
  Mutex mutex_;
  CondVar over_;
  bool is_over_ BENTO_GUARDED_BY(mutex_) = false;
  std::optional<http::Response> response_ BENTO_GUARDED_BY(mutex_);
  std::optional<Status> aborted_ BENTO_GUARDED_BY(mutex_);
};

}  // namespace bentohost::service
