#include "service/passage.h"

#include <utility>
#include <vector>

#include "base/thread_pool.h"

namespace bentohost::service {
namespace {

bento_error empty_error() {
  bento_error error{};
  error.size = sizeof error;
  return error;
}

}  // namespace

Passage::Passage(http::Exchange& outer, const bento_call& call)
    : outer_(outer), channel_(*call.channel) {
  const http::Request& from = outer.request();
  const bento_scope& scope = *call.scope;
  request_.method = to_view(scope.method);
  request_.path = to_view(scope.path);
  request_.query = to_view(scope.query);
  request_.client = to_view(scope.client);
  request_.scheme = to_view(scope.scheme) == "https" ? "https" : "http";
  for (std::size_t i = 0; i < scope.headers.len; ++i) {
    request_.headers.push_back({std::string(to_view(scope.headers.ptr[i].name)),
                                std::string(to_view(scope.headers.ptr[i].value))});
  }
  request_.target = from.target;
  request_.version = from.version;
  request_.server = from.server;
  request_.door = from.door;
  request_.arrived = from.arrived;
}

Status Passage::read_whole_body(std::size_t max_body) {
  while (true) {
    auto piece = receive();
    if (!piece.ok()) return std::move(piece).take_status();
    request_.body += piece->bytes;
    if (max_body != 0 && request_.body.size() > max_body) {
      return Status::with_http(413, BENTO_INVALID_ARGUMENT,
                               "the body is longer than " + std::to_string(max_body) + " bytes");
    }
    if (!piece->more) return {};
  }
}

void Passage::respond(http::Response response) {
  std::lock_guard lock(mutex_);
  response_ = std::move(response);
  is_over_ = true;
  over_.notify_all();
}

Result<http::ReceivedBody> Passage::receive() {
  if (!request_.body.empty()) return http::ReceivedBody{take_body(), false};
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_REQUEST_BODY;
  bento_error error = empty_error();
  const bento_code code = channel_.receive(&channel_, &event, &error);
  if (code != BENTO_OK) return Status::from_plugin(code, error);
  if (event.type == BENTO_DISCONNECT) return Status(BENTO_CANCELLED, "the client is gone");
  http::ReceivedBody piece;
  if (event.body.len != 0) {
    piece.bytes.assign(static_cast<const char*>(event.body.ptr), event.body.len);
  }
  piece.more = event.more != 0;
  return piece;
}

Status Passage::start(http::Response response) {
  const std::string first = std::exchange(response.body, {});
  if (Status status = send_start(response); !status.ok()) return status;
  return send_body(first, true);
}

Status Passage::write(std::string_view bytes, bool more) {
  Status status = send_body(bytes, more);
  if (!more) end(std::nullopt);
  return status;
}

void Passage::cut() { end(Status(BENTO_INTERNAL, "what is inside did not complete its answer")); }

Status Passage::finish(std::optional<http::Response>& failed) {
  {
    const ThreadPool::Blocking blocking;
    std::unique_lock lock(mutex_);
    over_.wait(lock, [this] { return is_over_; });
  }
  if (cut_) return *cut_;
  if (!response_) return {};
  if (response_->failure != nullptr) {
    Status status = *response_->failure;
    failed = std::move(*response_);
    return status;
  }
  if (Status status = send_start(*response_); !status.ok()) return status;
  return send_body(response_->body, false);
}

void Passage::end(std::optional<Status> cut) {
  std::lock_guard lock(mutex_);
  cut_ = std::move(cut);
  is_over_ = true;
  over_.notify_all();
}

Status Passage::send(const bento_event& event) {
  bento_error error = empty_error();
  const bento_code code = channel_.send(&channel_, &event, &error);
  return code == BENTO_OK ? Status() : Status::from_plugin(code, error);
}

Status Passage::send_start(const http::Response& response) {
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

Status Passage::send_body(std::string_view bytes, bool more) {
  bento_event event{};
  event.size = sizeof event;
  event.type = BENTO_RESPONSE_BODY;
  event.more = more ? 1 : 0;
  event.body = {bytes.data(), bytes.size()};
  return send(event);
}

}  // namespace bentohost::service
