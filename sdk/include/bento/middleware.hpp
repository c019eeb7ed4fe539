// Middleware: what wraps every exchange of a service: its APIs, mounts, built-in pages and errors.
// The first that Service::use() was given is outermost. It has one of two forms. Part of
// <bento/bento.hpp>.
//
// Hooks never wait, and so hold no thread: a class with any of these, const, called by many threads
// at once, event loops among them. One exchange has one hook called at a time, on whichever thread
// its work is; one that takes long holds up the other connections of its loop.
//
//   void on_request(bento::Incoming&) const;    // reads and changes the request, or answers it
//   void on_response(bento::Outgoing&) const;   // the answer's head and first piece
//   void on_body(bento::Outgoing&) const;       // each further piece of a streamed answer
//   void on_end() const;                        // the answer has gone out, or never will
//
// To keep something from one hook to the next, the class has a nested `State`, default-constructed
// for each exchange, and each of its hooks takes it as its last argument: on_end(State&). on_end
// comes once for each exchange that has reached this middleware; with a State, only if another hook
// has been called for it.
//
// What on_request throws is the answer: Error(BENTO_UNAUTHENTICATED, "a token is needed") is a 401.
// Of on_response it becomes a 500; of on_body it cuts the answer off; of on_end it is dropped.
//
// Around the exchange is the other form, on a thread of its own, where it may wait: a class with
//
//   void call(bento::Call&, const bento::Next&) const;
//
// or a lambda of that shape: see <bento/call.hpp>.
#pragma once

#include <bento/abi.h>

#include <algorithm>
#include <bento/call.hpp>
#include <bento/context.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bento {

// The request of an exchange, as a hook sees it: as it reached this middleware, with what this one
// has changed. Valid during the hook, and so are the views that it returns, until the request is
// changed.
class ExchangeView {
 public:
  ExchangeView(const bento_host* host, bento_exchange* exchange)
      : host_(host), exchange_(exchange) {}

  std::string_view method() const { return detail::view(scope().method); }  // in capitals
  std::string_view path() const { return detail::view(scope().path); }
  // The prefix of the service: "" or "/iris".
  std::string_view root_path() const { return detail::view(scope().root_path); }
  std::string_view query() const { return detail::view(scope().query); }    // without the '?'
  std::string_view scheme() const { return detail::view(scope().scheme); }  // "http" or "https"
  std::string_view client() const { return detail::view(scope().client); }  // "127.0.0.1:51034"
  std::string_view server() const { return detail::view(scope().server); }
  std::string_view request_id() const { return detail::view(scope().request_id); }
  // The value of the first of that name, in any letter case, or "".
  std::string_view request_header(std::string_view name) const {
    return find_request_header(name).value_or(std::string_view());
  }
  // The same value, or nullopt if the request has no header of that name.
  std::optional<std::string_view> find_request_header(std::string_view name) const {
    const bento_pairs headers = scope().headers;
    for (std::size_t i = 0; i < headers.len; ++i) {
      if (detail::same_name(detail::view(headers.ptr[i].name), name)) {
        return detail::view(headers.ptr[i].value);
      }
    }
    return std::nullopt;
  }
  const bento_scope& scope() const { return *exchange_->scope; }
  // A line in the host's log, with the request's id.
  void log(Log level, std::string_view message) const {
    host_->log(host_, exchange_->ctx, static_cast<std::int32_t>(level), detail::str(message), {});
  }

 protected:
  std::string_view bytes() const {
    return {static_cast<const char*>(exchange_->body.ptr), exchange_->body.len};
  }
  template <typename F, typename... Args>
  void call(F function, Args... args) {
    bento_error error = detail::make_error();
    detail::check(function(exchange_, args..., &error), error);
  }

  const bento_host* host_;
  bento_exchange* exchange_;
};

// A request on its way in, in on_request. The functions that change it copy what they are given,
// and throw Error, 500, for what cannot be a part of a request.
class Incoming : public ExchangeView {
 public:
  using ExchangeView::ExchangeView;

  // The whole body, unless it is streamed to its handler: then nothing.
  std::string_view body() const { return bytes(); }
  bool is_streamed() const { return exchange_->streamed != 0; }

  // What is passed on. Another path (decoded, beginning with "/") is routed anew, in this service's
  // routes first. A scheme is "http" or "https".
  void set_method(std::string_view value) { set("method", value); }
  void set_path(std::string_view value) { set("path", value); }
  void set_query(std::string_view value) { set("query", value); }
  void set_scheme(std::string_view value) { set("scheme", value); }
  void set_client(std::string_view value) { set("client", value); }
  // In place of all of that name.
  void set_header(std::string_view name, std::string_view value) {
    call(exchange_->set_header, detail::str(name), detail::str(value));
  }
  void remove_header(std::string_view name) {
    call(exchange_->set_header, detail::str(name), bento_str{});
  }
  // Throws Error, 500, for a request whose body is streamed.
  void set_body(std::string_view bytes) {
    call(exchange_->set_body, bento_bytes{bytes.data(), bytes.size()});
  }
  // A longer body is answered 413: one that is here already by what this throws, one that is
  // streamed when it gets so long. It lowers the API's limit, never raises it.
  void limit_body(std::uint64_t bytes) { call(exchange_->limit_body, bytes); }
  // The request is to be answered within `time` from now; its deadline is only ever made earlier.
  void set_timeout(std::chrono::nanoseconds time) {
    const auto at = std::chrono::steady_clock::now().time_since_epoch() + time;
    call(exchange_->set_deadline,
         static_cast<std::uint64_t>(
             std::chrono::duration_cast<std::chrono::nanoseconds>(at).count()));
  }

  // Answers, once: nothing is passed on. The answer passes on_response of the middleware outside of
  // this one. Throws Error, 500, for a second answer and for one that cannot be sent.
  void answer(std::uint32_t status, std::string_view content_type, std::string_view body,
              const Headers& headers = {}) {
    std::vector<bento_pair> pairs = headers.abi();
    if (!content_type.empty()) {
      pairs.push_back({detail::str("Content-Type"), detail::str(content_type)});
    }
    bento_event event{};
    event.size = sizeof event;
    event.type = BENTO_RESPONSE_START;
    event.status = status;
    event.headers = {pairs.data(), pairs.size()};
    event.body = {body.data(), body.size()};
    call(exchange_->answer, &event);
    is_answered_ = true;
  }
  bool is_answered() const { return is_answered_; }

 private:
  void set(std::string_view what, std::string_view value) {
    call(exchange_->set, detail::str(what), detail::str(value));
  }
  bool is_answered_ = false;
};

// A response on its way out, in on_response and on_body. Status and headers are read and changed in
// on_response alone: in on_body they have gone out, set_status() does nothing, header() finds
// nothing and the others throw Error, 500. Of a streamed answer on_response has the first piece.
class Outgoing : public ExchangeView {
 public:
  using ExchangeView::ExchangeView;

  std::uint32_t status() const { return exchange_->status; }
  // From 200 to 599; another makes the answer a 500.
  void set_status(std::uint32_t status) { exchange_->status = status; }
  // The nth value of that name, in any letter case, Content-Type among them; valid until the next
  // call. nullopt: there are no more.
  std::optional<std::string_view> header(std::string_view name, std::size_t nth = 0) const {
    const bento_str value = exchange_->response_header(exchange_, detail::str(name), nth);
    if (value.ptr == nullptr) return std::nullopt;
    return detail::view(value);
  }
  // In place of all of that name; add_header() appends, remove_header() takes all of that name.
  void set_header(std::string_view name, std::string_view value) {
    call(exchange_->set_response_header, detail::str(name), detail::str(value));
  }
  void add_header(std::string_view name, std::string_view value) {
    call(exchange_->add_response_header, detail::str(name), detail::str(value));
  }
  void remove_header(std::string_view name) {
    call(exchange_->set_response_header, detail::str(name), bento_str{});
  }
  // Adds `value`, a header's name, to Vary (RFC 9110 12.5.5), unless it, or "*", is there.
  void add_vary(std::string_view value) {
    std::string all;
    for (std::size_t i = 0; auto one = header("vary", i); ++i) {
      all += (all.empty() ? "" : ", ") + std::string(*one);
    }
    for (std::string_view rest = all; !rest.empty();) {
      const std::size_t comma = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, comma);
      while (item.starts_with(' ')) item.remove_prefix(1);
      while (item.ends_with(' ')) item.remove_suffix(1);
      if (item == "*" || detail::same_name(item, value)) return;
      rest.remove_prefix(std::min(comma + 1, rest.size()));
    }
    set_header("Vary", all + (all.empty() ? "" : ", ") + std::string(value));
  }

  // The piece of the body that is passing, and whether it is the last. A whole answer is one piece,
  // and the host writes its Content-Length afterwards.
  std::string_view body() const { return bytes(); }
  bool is_last() const { return exchange_->more == 0; }
  // In place of this piece; copied. It may be empty.
  void set_body(std::string_view bytes) {
    call(exchange_->set_body, bento_bytes{bytes.data(), bytes.size()});
  }
};

}  // namespace bento
