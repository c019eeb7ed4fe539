// BufferedExchange: an exchange with a copy of the outer exchange's request, for handlers that read
// it after the response was sent and the original is gone, or that need a streamed body whole.
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
#include "service/exchange_decorator.h"

namespace bentohost::service {

Status body_too_long(std::uint64_t max_body);  // 413

class BufferedExchange final : public ExchangeDecorator {
 public:
  // `keep` keeps `outer` alive. A body that is read whole counts against `body_memory`; null: it is
  // not counted.
  BufferedExchange(http::Exchange& outer, std::shared_ptr<const void> keep,
                   MemoryBudget* body_memory = nullptr);

  // [worker] (waits) 413 beyond `max_body` (0: the connection's limit); 503 when memory runs out.
  Status read_whole_body(std::size_t max_body);

  // http::Exchange
  const http::Request& request() const override { return request_; }
  std::string take_body() override { return std::exchange(request_.body, {}); }
  Result<http::ReceivedBody> receive() override;

 private:
  const std::shared_ptr<const void> keep_;
  http::Request request_;
  Reservation body_memory_;
};

}  // namespace bentohost::service
