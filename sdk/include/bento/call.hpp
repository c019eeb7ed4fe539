// Call and Next: what a middleware is handed that may wait: one exchange, and what is inside.
// BentoML's ASGI middleware, in a function's form. Part of <bento/bento.hpp>; see
// <bento/middleware.hpp>.
//
//   svc.use("timing", [](bento::Call& call, const bento::Next& next) {
//     const auto t0 = std::chrono::steady_clock::now();
//     call.on_response_start([&](bento::ResponseStart& r) { r.headers.set("X-Took", since(t0)); });
//     next(call);
//   });
//
// It has one of --threads until the exchange is over. One thread, the middleware's: what it
// registers on a call is called there as well, within next(). Middleware in hooks holds no thread,
// and costs less.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <bento/stream.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento {

// The head of an answer from inside, for on_response_start() to change. A status that is not from
// 200 to 599, or a header that cannot be sent, becomes a 500.
struct ResponseStart {
  std::uint32_t status;
  Headers headers;
};

class Next;

// One exchange on its way through a middleware. Valid until the middleware returns, and so are the
// views that it returns. A middleware calls next() once, or answers by respond() or stream(); one
// that does neither is answered 500. What it throws is answered as an API's errors are, if no
// answer has begun.
class Call {
 public:
  Call(Context& context, const bento_call& abi)
      : context_(context), abi_(abi), stream_(abi.channel) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;

  Context& context() const { return context_; }
  // The request as it came to this middleware, without the changes that are made below.
  const bento_scope& scope() const { return *abi_.scope; }
  std::string_view method() const { return detail::view(scope().method); }
  std::string_view path() const { return detail::view(scope().path); }
  std::string_view header(std::string_view name) const {  // in any letter case; the first, or ""
    return context_.header(name);
  }

  // Before next(): what is passed on. Another path, decoded and beginning with "/", is routed anew,
  // in this service's routes first. The texts are copied. What cannot be a request is refused by
  // next().
  void set_method(std::string value) { edit().method = std::move(value); }
  void set_path(std::string value) { edit().path = std::move(value); }
  void set_query(std::string value) { edit().query = std::move(value); }
  Headers& request_headers() { return edit().headers; }

  // Before next(). Of two functions for the same thing the second counts. What they throw takes the
  // answer's place, and next() throws it; when a piece has gone out, the answer is cut off.
  //
  // `f` is called once with the head of the answer from inside, an error's too, and changes it.
  void on_response_start(std::function<void(ResponseStart&)> f) { on_start_ = std::move(f); }
  // Called with each piece of the answer's body, and whether another follows; returns what is sent
  // in its place. A Content-Length from inside is dropped, for the length may change.
  void on_response_body(std::function<std::string(std::string_view, bool more)> f) {
    on_body_ = std::move(f);
  }
  // Called with each piece of the request's body as it is read inside; returns what is read.
  void on_request_body(std::function<std::string(std::string_view, bool more)> f) {
    on_receive_ = std::move(f);
  }

  // [waits] Instead of next(): a whole answer, with a Content-Length. Throws as Stream does.
  void respond(std::uint32_t status, std::string_view content_type, std::string_view body,
               const Headers& headers = {}) {
    stream_.start(status, content_type, headers);
    stream_.end(body);
  }
  // Instead of next(): to read the request and to answer piece by piece.
  Stream& stream() { return stream_; }

  // For the SDK: runs a middleware, and ends an answer that it leaves open.
  template <typename F>
  void run(F&& middleware) {
    stream_.run(std::forward<F>(middleware));
  }

 private:
  friend class Next;
  struct Edited {
    std::string method, path, query;
    Headers headers;
  };
  struct Table {
    bento_channel channel;  // first: its address is the table's
    Call* call;
  };

  Edited& edit() {
    if (!edited_) {
      edited_ = Edited{std::string(method()), std::string(path()),
                       std::string(detail::view(scope().query)), Headers(scope().headers)};
    }
    return *edited_;
  }

  static bento_code receive(bento_channel* channel, bento_event* event, bento_error* error) {
    Call& self = *reinterpret_cast<Table*>(channel)->call;
    const bento_code code = self.abi_.channel->receive(self.abi_.channel, event, error);
    if (code != BENTO_OK || event->type != BENTO_REQUEST_BODY || !self.on_receive_) return code;
    return detail::guard(error, [&] {
      const std::string_view piece(static_cast<const char*>(event->body.ptr), event->body.len);
      self.received_ = self.on_receive_(piece, event->more != 0);
      event->body = {self.received_.data(), self.received_.size()};
    });
  }
  static bento_code send(bento_channel* channel, const bento_event* event, bento_error* error) {
    Call& self = *reinterpret_cast<Table*>(channel)->call;
    bento_code code = BENTO_OK;
    const bento_code caught = detail::guard(error, [&] {
      code = event->type == BENTO_RESPONSE_START ? self.send_start(*event, error)
                                                 : self.send_body(*event, error);
    });
    return caught != BENTO_OK ? caught : code;
  }
  bento_code send_start(bento_event event, bento_error* error) {
    ResponseStart start{event.status, Headers(event.headers)};
    if (on_body_) start.headers.remove("content-length");
    if (on_start_) on_start_(start);
    const std::vector<bento_pair> pairs = start.headers.abi();
    event.status = start.status;
    event.headers = {pairs.data(), pairs.size()};
    return abi_.channel->send(abi_.channel, &event, error);
  }
  bento_code send_body(bento_event event, bento_error* error) {
    std::string changed;
    if (on_body_) {
      const std::string_view piece(static_cast<const char*>(event.body.ptr), event.body.len);
      changed = on_body_(piece, event.more != 0);
      event.body = {changed.data(), changed.size()};
    }
    return abi_.channel->send(abi_.channel, &event, error);
  }

  // Calls `next` with what has been changed.
  void pass_to(const bento_app& next) {
    bento_scope scope = *abi_.scope;
    std::vector<bento_pair> headers;
    bento_call call = abi_;
    if (edited_) {
      headers = edited_->headers.abi();
      scope.method = detail::str(edited_->method);
      scope.path = detail::str(edited_->path);
      scope.query = detail::str(edited_->query);
      scope.headers = {headers.data(), headers.size()};
      call.scope = &scope;
    }
    Table table{};
    if (on_start_ || on_body_ || on_receive_) {
      table.channel.size = sizeof table.channel;
      table.channel.receive = &Call::receive;
      table.channel.send = &Call::send;
      table.call = this;
      call.channel = &table.channel;
    }
    bento_error error = detail::make_error();
    detail::check(next.call(next.self, &call, &error), error);
  }

  Context& context_;
  const bento_call abi_;
  Stream stream_;
  std::optional<Edited> edited_;
  std::string received_;
  std::function<void(ResponseStart&)> on_start_;
  std::function<std::string(std::string_view, bool)> on_body_, on_receive_;
};

// What is inside: the next middleware, or the API, mount or page. Valid until the middleware
// returns.
class Next {
 public:
  explicit Next(const bento_app* app) : app_(app) {}
  // [waits] Until the answer is complete and has passed through this middleware. Once: a second
  // call throws Error, 500. An Error that it throws (a handler's, a 404, a refused change) has not
  // been sent to the client yet: let it pass, or catch it and answer in its place. One that is
  // caught and not answered is answered all the same.
  void operator()(Call& call) const { call.pass_to(*app_); }

 private:
  const bento_app* app_;
};

}  // namespace bento
