#include "service/middleware/buffered_exchange.h"

namespace bentohost::service {

Status body_too_long(std::uint64_t max_body) {
  return Status::with_http(413, BENTO_INVALID_ARGUMENT,
                           "the body is larger than " + std::to_string(max_body) + " bytes");
}

BufferedExchange::BufferedExchange(http::Exchange& outer, std::shared_ptr<const void> keep,
                                   MemoryBudget* body_memory)
    : ExchangeDecorator(outer), keep_(std::move(keep)), body_memory_(body_memory) {
  std::string body = outer.take_body();
  request_ = outer.request();
  request_.body = std::move(body);
}

Status BufferedExchange::read_whole_body(std::size_t max_body) {
  while (true) {
    auto piece = outer().receive();
    if (!piece.ok()) return std::move(piece).take_status();
    request_.body += piece->bytes;
    if (max_body != 0 && request_.body.size() > max_body) {
      return body_too_long(max_body);
    }
    if (!body_memory_.grow_to(request_.body.size())) return http::no_body_memory();
    if (!piece->more) return {};
  }
}

// A body that arrived whole is one piece.
Result<http::ReceivedBody> BufferedExchange::receive() {
  if (!request_.body.empty()) return http::ReceivedBody{take_body(), false};
  return outer().receive();
}

}  // namespace bentohost::service
