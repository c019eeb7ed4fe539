#include "service/middleware/inner_exchange.h"

#include <utility>
#include <vector>

#include "base/loop/thread_pool.h"
#include "http/syntax.h"

namespace bentohost::service {
Result<std::shared_ptr<InnerExchange>> InnerExchange::make(http::Exchange& outer,
                                                           const bento_call& call,
                                                           std::shared_ptr<const void> keep) {
  auto inner_exchange = std::make_shared<InnerExchange>(outer, *call.channel, std::move(keep));
  if (Status status = inner_exchange->take(*call.scope); !status.ok()) return status;
  return inner_exchange;
}

// The request as the middleware passed it on.
Status InnerExchange::take(const bento_scope& scope) {
  const http::Request& from = outer().request();
  request_.method = to_view(scope.method);
  request_.path = to_view(scope.path);
  request_.query = to_view(scope.query);
  request_.client = to_view(scope.client);
  request_.scheme = to_view(scope.scheme) == "https" ? "https" : "http";
  if (!request_.path.starts_with('/') && request_.path != from.path) {
    return Status(BENTO_INVALID_ARGUMENT, "a path must begin with /").as_misuse();
  }
  if (!http::is_token(request_.method) || !http::is_visible(request_.query) ||
      !http::is_visible(request_.client)) {
    return Status(BENTO_INVALID_ARGUMENT,
                  "the method, query or client of the request that is passed on has blanks or "
                  "control bytes")
        .as_misuse();
  }
  for (std::size_t i = 0; i < scope.headers.len; ++i) {
    const bento_pair& header = scope.headers.ptr[i];
    http::Header taken{{}, std::string(to_view(header.value))};
    if (!http::append_lower_token(to_view(header.name), taken.name) ||
        !http::is_field_value(taken.value)) {
      return Status(BENTO_INVALID_ARGUMENT,
                    "header \"" + std::string(to_view(header.name)) +
                        "\" of the request that is passed on: its name or value is malformed")
          .as_misuse();
    }
    request_.headers.push_back(std::move(taken));
  }
  request_.target = from.target;
  request_.version = from.version;
  request_.server = from.server;
  request_.role = from.role;
  request_.arrived = from.arrived;
  return {};
}

void InnerExchange::respond(http::Response&& response) {
  const MutexLock lock(mutex_);
  response_ = std::move(response);
  is_over_ = true;
  over_.notify_all();
}

Result<http::ReceivedBody> InnerExchange::receive() {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_REQUEST_BODY;
  Status status =
      call_plugin([&](bento_error* error) { return channel_.receive(&channel_, &event, error); });
  if (!status.ok()) return status;
  if (event.type == BENTO_DISCONNECT) return Status(BENTO_CANCELLED, "the client is gone");
  http::ReceivedBody piece;
  if (event.body.len != 0) {
    piece.bytes.assign(static_cast<const char*>(event.body.ptr), event.body.len);
  }
  piece.more = event.more != 0;
  return piece;
}

Status InnerExchange::start(http::Response response) {
  const std::string first = std::exchange(response.body, {});
  if (Status status = send_start(response); !status.ok()) return status;
  return send_body(first, true);
}

Status InnerExchange::write(std::string_view bytes, bool more) {
  Status status = send_body(bytes, more);
  if (!more) end(std::nullopt);
  return status;
}

void InnerExchange::abort() {
  end(Status(BENTO_INTERNAL, "the handler did not complete its response"));
}

Status InnerExchange::finish(std::optional<http::Response>& failed) {
  std::optional<http::Response> response;
  {
    const ThreadPool::Blocking blocking;
    const MutexLock lock(mutex_);
    while (!is_over_) over_.wait(mutex_);
    if (aborted_) return *aborted_;
    response = std::move(response_);
  }
  if (!response) return {};
  if (response->failure == nullptr) return send(*response);
  Status status = *response->failure;
  failed = *std::move(response);
  return status;
}

Status InnerExchange::send(const http::Response& response) {
  if (Status status = send_start(response); !status.ok()) return status;
  return send_body(response.body, false);
}

void InnerExchange::end(std::optional<Status> aborted) {
  const MutexLock lock(mutex_);
  aborted_ = std::move(aborted);
  is_over_ = true;
  over_.notify_all();
}

Status InnerExchange::send(const bento_event& event) {
  return call_plugin([&](bento_error* error) { return channel_.send(&channel_, &event, error); });
}

Status InnerExchange::send_start(const http::Response& response) {
  std::vector<bento_pair> headers;
  if (!response.content_type.empty()) {
    headers.push_back({to_bento("Content-Type"), to_bento(response.content_type)});
  }
  for (const http::Header& header : response.headers) {
    headers.push_back({to_bento(header.name), to_bento(header.value)});
  }
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_START;
  event.status = static_cast<std::uint32_t>(response.status);
  event.headers = {headers.data(), headers.size()};
  return send(event);
}

Status InnerExchange::send_body(std::string_view bytes, bool more) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_BODY;
  event.more = more ? 1 : 0;
  event.body = {bytes.data(), bytes.size()};
  return send(event);
}

}  // namespace bentohost::service
