// BufferedExchange: the exchange outside with a copy of its request, for those who look at that
// even when the answer, and with it the original, is gone, or who want a streamed body whole.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/memory_budget.h"
#include "base/status.h"
#include "http/message.h"

namespace bentohost::service {

Status body_too_long(std::uint64_t max_body);  // 413

class BufferedExchange final : public http::Exchange {
 public:
  // `keep` keeps `outer` alive. A body that is read whole is counted in `body_memory`; null:
  // nowhere.
  BufferedExchange(http::Exchange& outer, std::shared_ptr<const void> keep,
                   MemoryBudget* body_memory = nullptr);
  BufferedExchange(const BufferedExchange&) = delete;
  BufferedExchange& operator=(const BufferedExchange&) = delete;

  // [worker] (waits) 413 beyond `max_body`; 0: the front's. 503 without memory for it.
  Status read_whole_body(std::size_t max_body);

  // http::Exchange
  const http::Request& request() const override { return request_; }
  std::string take_body() override { return std::exchange(request_.body, {}); }
  std::size_t body_bytes() const override { return outer_.body_bytes(); }
  void respond(http::Response response) override { outer_.respond(std::move(response)); }
  void allow_stream() override { outer_.allow_stream(); }
  Result<http::ReceivedBody> receive() override;
  Status start(http::Response response) override { return outer_.start(std::move(response)); }
  Status write(std::string_view bytes, bool more) override { return outer_.write(bytes, more); }
  void abort() override { outer_.abort(); }
  void after_sent(std::function<void()> f) override { outer_.after_sent(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<http::DeadlineResponder> late) override {
    outer_.answer_by(when, std::move(late));
  }
  void tighten_deadline(TimePoint when) override { outer_.tighten_deadline(when); }
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return outer_.cancelled(); }

 private:
  http::Exchange& outer_;
  const std::shared_ptr<const void> keep_;
  http::Request request_;
  Reservation body_memory_;
};

}  // namespace bentohost::service
