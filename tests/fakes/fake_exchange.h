// An exchange without a connection: it holds a request and records the responses.
#pragma once

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/message.h"

namespace bentohost::fakes {

class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(std::string method, std::string path, std::string body = {}) {
    request_.method = std::move(method);
    request_.target = request_.path = std::move(path);
    request_.version = "HTTP/1.1";
    request_.client = "127.0.0.1:4711";
    request_.server = "127.0.0.1:3000";
    request_.body = std::move(body);
    sent = request_.body.size();
  }

  const http::Request& request() const override { return request_; }
  http::Request& request() { return request_; }
  std::string take_body() override { return hides_body ? "" : std::move(request_.body); }
  void set_request_id(std::string_view id) override { request_id_ = id; }
  void respond(http::Response&& response) override {
    add_request_id(response);
    responses.push_back(std::move(response));
    tell_sent();
  }
  std::size_t body_bytes() const override { return sent; }
  std::shared_ptr<const void> take_target() override { return std::move(target); }
  void allow_stream() override { may_stream = true; }
  // The request's body, in pieces of `piece_size`.
  Result<http::ReceivedBody> receive() override {
    http::ReceivedBody piece{
        request_.body.substr(std::min(received_, request_.body.size()), piece_size), true};
    received_ += piece.bytes.size();
    piece.more = received_ < request_.body.size() || request_.is_arriving;
    return piece;
  }
  Status start(http::Response response) override {
    add_request_id(response);
    started = std::move(response);
    return write_status;
  }
  Status write(std::string_view bytes, bool more) override {
    started->body += bytes;
    is_complete = !more;
    if (!more) tell_sent();
    return write_status;
  }
  void abort() override {
    is_aborted = true;
    tell_sent();
  }
  EventLoop* answer_on_loop(std::shared_ptr<http::StreamEvents> its_events) override {
    if (loop != nullptr) events = std::move(its_events);
    return loop;
  }
  bool has_room() const override { return is_roomy; }
  void after_sent(std::function<void()> f) override { waiting_.push_back(std::move(f)); }
  void answer_by(TimePoint when, std::shared_ptr<http::DeadlineResponder> its_late) override {
    late_at = when;
    late = std::move(its_late);
  }
  std::shared_ptr<const std::atomic<bool>> cancelled() const override { return is_cancelled; }

  void tighten_deadline(TimePoint when) override { late_at = std::min(late_at, when); }

  // The only response; an empty one with status 0 if there are none or several.
  http::Response response() const {
    if (responses.size() == 1) return responses[0];
    http::Response none;
    none.status = 0;
    return none;
  }

  std::shared_ptr<const void> target;  // from the application's plan()
  std::vector<http::Response> responses;
  std::optional<http::Response> started;  // a streamed response, with the bytes written so far
  bool is_complete = false, is_aborted = false, may_stream = false;
  Status write_status;      // what start() and write() return
  bool hides_body = false;  // the body is streamed: only receive() returns it
  std::size_t piece_size = std::string::npos;
  std::size_t sent = 0;       // bytes of the body
  EventLoop* loop = nullptr;  // of its connection; null: it belongs to a thread
  std::shared_ptr<http::StreamEvents> events;
  bool is_roomy = true;
  TimePoint late_at = kNoDeadline;
  std::shared_ptr<http::DeadlineResponder> late;
  const std::shared_ptr<std::atomic<bool>> is_cancelled =
      std::make_shared<std::atomic<bool>>(false);

 private:
  // As the server writes it.
  void add_request_id(http::Response& response) {
    if (!request_id_.empty()) response.headers.push_back({"X-Request-Id", request_id_});
  }
  void tell_sent() {
    for (const auto& f : std::exchange(waiting_, {})) f();
  }

  std::string request_id_;
  std::vector<std::function<void()>> waiting_;
  http::Request request_;
  std::size_t received_ = 0;
};

}  // namespace bentohost::fakes
