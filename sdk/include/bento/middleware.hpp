// Middleware: what wraps every exchange of a service: its APIs, mounts, built-in pages and errors.
// The first that Service::use() was given is outermost. Part of <bento/bento.hpp>.
//
// In hooks, which never wait, and so cost no thread: a class with any of these, const and called by
// many threads at once,
//
//   void on_request(bento::Incoming&) const;    // reads and changes the request, or answers it
//   void on_response(bento::Outgoing&) const;   // the answer's head and first piece
//   void on_body(bento::Outgoing&) const;       // each further piece of a streamed answer
//   void on_end() const;                        // the answer has gone out, or never will
//
// and where it keeps something from one to the next, a nested `State`, default-constructed for each
// exchange, which each of its hooks then takes as its last argument: on_end(State&).
//
// Or around the exchange, on a thread, where it may wait: a class with
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

// The request of an exchange, as a hook sees it.
class ExchangeView {
 public:
  ExchangeView(const bento_host* host, bento_exchange* exchange)
      : host_(host), exchange_(exchange) {}

  std::string_view method() const { return detail::view(scope().method); }
  std::string_view path() const { return detail::view(scope().path); }
  std::string_view root_path() const { return detail::view(scope().root_path); }
  std::string_view query() const { return detail::view(scope().query); }
  std::string_view scheme() const { return detail::view(scope().scheme); }
  std::string_view client() const { return detail::view(scope().client); }  // "127.0.0.1:51034"
  std::string_view server() const { return detail::view(scope().server); }
  std::string_view request_id() const { return detail::view(scope().request_id); }
  // The first of that name, in any letter case, or "".
  std::string_view request_header(std::string_view name) const {
    return find_request_header(name).value_or(std::string_view());
  }
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

// A request on its way in.
class Incoming : public ExchangeView {
 public:
  using ExchangeView::ExchangeView;

  // Whole, unless the body is streamed to its handler: then nothing.
  std::string_view body() const { return bytes(); }
  bool is_streamed() const { return exchange_->streamed != 0; }

  // What is passed on. Another path is routed anew.
  void set_method(std::string_view value) { set("method", value); }
  void set_path(std::string_view value) { set("path", value); }
  void set_query(std::string_view value) { set("query", value); }
  void set_scheme(std::string_view value) { set("scheme", value); }
  void set_client(std::string_view value) { set("client", value); }
  void set_header(std::string_view name, std::string_view value) {
    call(exchange_->set_header, detail::str(name), detail::str(value));
  }
  void remove_header(std::string_view name) {
    call(exchange_->set_header, detail::str(name), bento_str{});
  }
  void set_body(std::string_view bytes) {
    call(exchange_->set_body, bento_bytes{bytes.data(), bytes.size()});
  }
  // A longer body is answered 413, also one that is streamed.
  void limit_body(std::uint64_t bytes) { call(exchange_->limit_body, bytes); }
  // The request is to be answered within `time` from now, unless it has to be earlier.
  void set_timeout(std::chrono::nanoseconds time) {
    const auto at = std::chrono::steady_clock::now().time_since_epoch() + time;
    call(exchange_->set_deadline,
         static_cast<std::uint64_t>(
             std::chrono::duration_cast<std::chrono::nanoseconds>(at).count()));
  }

  // Answers; nothing is passed on, and of this exchange only the hooks of those outside follow.
  // (What a hook throws is an answer, too: Error(BENTO_UNAUTHENTICATED, "who are you?") is a 401.)
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

// A response on its way out.
class Outgoing : public ExchangeView {
 public:
  using ExchangeView::ExchangeView;

  std::uint32_t status() const { return exchange_->status; }
  void set_status(std::uint32_t status) { exchange_->status = status; }
  // The nth value of that name, in any case; valid until the next call.
  std::optional<std::string_view> header(std::string_view name, std::size_t nth = 0) const {
    const bento_str value = exchange_->response_header(exchange_, detail::str(name), nth);
    if (value.ptr == nullptr) return std::nullopt;
    return detail::view(value);
  }
  void set_header(std::string_view name, std::string_view value) {
    call(exchange_->set_response_header, detail::str(name), detail::str(value));
  }
  void add_header(std::string_view name, std::string_view value) {
    call(exchange_->add_response_header, detail::str(name), detail::str(value));
  }
  void remove_header(std::string_view name) {
    call(exchange_->set_response_header, detail::str(name), bento_str{});
  }
  // Adds `value` to a Vary header, unless it is in there.
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
  // and the host writes its Content-Length.
  std::string_view body() const { return bytes(); }
  bool is_last() const { return exchange_->more == 0; }
  void set_body(std::string_view bytes) {
    call(exchange_->set_body, bento_bytes{bytes.data(), bytes.size()});
  }
};

}  // namespace bento
