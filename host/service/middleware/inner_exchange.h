// InnerExchange: the exchange of what is inside a middleware that may wait: its request is what the
// middleware passed on, its answer goes into the channel that the middleware handed on. A whole
// answer may come from any thread, and is sent by the one that waits in finish(); pieces come on
// that one.
#pragma once

#include <bento/abi.h>

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "http/message.h"

namespace bentohost::service {

class InnerExchange final : public http::Exchange {
 public:
  // `outer` and the channel of `call` must live until finish() has returned; `keep` is kept.
  // INVALID_ARGUMENT for a request that is none.
  static Result<std::shared_ptr<InnerExchange>> make(http::Exchange& outer, const bento_call& call,
                                                     std::shared_ptr<const void> keep);
  InnerExchange(http::Exchange& outer, bento_channel& channel, std::shared_ptr<const void> keep)
      : outer_(outer), channel_(channel), keep_(std::move(keep)) {}
  InnerExchange(const InnerExchange&) = delete;
  InnerExchange& operator=(const InnerExchange&) = delete;

  // [worker] (waits) Until it is over; what it was answered with has been sent. A failure has not:
  // it is returned, and the answer that was made of it is left in `failed`.
  Status finish(std::optional<http::Response>& failed);
  // [worker] Sends a whole answer.
  Status send(const http::Response& response);

  // http::Exchange
  const http::Request& request() const override { return request_; }
  std::string take_body() override { return {}; }  // it is streamed
  std::size_t body_bytes() const override { return outer_.body_bytes(); }
  void respond(http::Response response) override;
  void allow_stream() override {}  // it always may
  Result<http::ReceivedBody> receive() override;
  Status start(http::Response response) override;
  Status write(std::string_view bytes, bool more) override;
  void abort() override;
  void after_sent(std::function<void()> f) override { outer_.after_sent(std::move(f)); }
  // The deadline is watched over outside.
  void answer_by(TimePoint, std::shared_ptr<http::DeadlineResponder>) override {}
  void tighten_deadline(TimePoint when) override { outer_.tighten_deadline(when); }
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return outer_.cancelled(); }

 private:
  Status take(const bento_scope& scope);
  void end(std::optional<Status> cut);
  Status send(const bento_event& event);
  Status send_start(const http::Response& response);
  Status send_body(std::string_view bytes, bool more);

  http::Exchange& outer_;
  bento_channel& channel_;
  const std::shared_ptr<const void> keep_;
  http::Request request_;
  std::mutex mutex_;
  std::condition_variable over_;
  bool is_over_ = false;  // and what follows: guarded by mutex_
  std::optional<http::Response> response_;
  std::optional<Status> cut_;
};

}  // namespace bentohost::service
