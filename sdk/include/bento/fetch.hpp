// Fetch: a request to another HTTP server, on the host's event loops. Part of <bento/bento.hpp>.
//
//   svc.api("weather", [](bento::Context& ctx, std::string_view town) -> bento::Async<std::string>
//   {
//     auto answer = co_await ctx.fetch({.url = kWeather + std::string(town), .timeout = 2s});
//     answer.check();                                   // throws unless it is 200 to 299
//     co_return answer.body;
//   });
//   ctx.fetch({.method = "POST", .url = url, .body = json}).get();  // a handler or task on a
//   thread
//
// HTTP/1.1 by http:// and https://; certificates are held against the system's CAs. Connections are
// kept for the next request. Redirects are returned as they are; there are no proxies, cookies or
// content codings. The request's X-Request-Id and traceparent are sent along. It is under way from
// the call of fetch() on, and is given up when its object is destroyed, its client leaves, or its
// deadline passes.
//
// The functions throw Error, whose message names the scheme, host and port, and the cause:
//   INVALID_ARGUMENT, 500       a URL, method or header that cannot be sent
//   UNAVAILABLE, 502            no such host, refused, not the right certificate, broken off,
//                               no HTTP
//   DEADLINE_EXCEEDED, 504      no connection, or no whole response, in time
//   RESOURCE_EXHAUSTED, 502     a response larger than max_response_bytes
//   RESOURCE_EXHAUSTED, 503     too many requests wait for a connection to that server
//   CANCELLED                   the request has been cancelled
#pragma once

#include <bento/abi.h>

#if BENTO_ABI_TARGET_MINOR >= 1

#include <array>
#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/fetch_ticket.hpp>
#include <bento/detail/limited_wait.hpp>
#include <bento/error.hpp>
#include <bento/headers.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace bento {

struct FetchHeader {
  std::string_view name, value;
};

// Up to twelve headers, {{"Accept", "text/plain"}, ...}; or a named Headers of any number.
class FetchHeaders {
 public:
  using H = FetchHeader;
  FetchHeaders() = default;
  // Not an initializer_list: g++ 12 has none in an expression with a co_await.
  FetchHeaders(H a, H b = {}, H c = {}, H d = {}, H e = {}, H f = {},  // NOLINT(*-explicit-*)
               H g = {}, H h = {}, H i = {}, H j = {}, H k = {}, H l = {})
      : few_{a, b, c, d, e, f, g, h, i, j, k, l} {}
  FetchHeaders(const Headers& named) : named_(&named) {}  // NOLINT(*-explicit-*)
  FetchHeaders(Headers&&) = delete;                       // give it a name

  std::vector<bento_pair> abi() const {
    if (named_ != nullptr) return named_->abi();
    std::vector<bento_pair> all;
    for (const FetchHeader& one : few_) {
      if (one.name.data() != nullptr)
        all.push_back({detail::str(one.name), detail::str(one.value)});
    }
    return all;
  }

 private:
  std::array<FetchHeader, 12> few_{};
  const Headers* named_ = nullptr;
};

namespace detail {
// "https://host:8443": what errors show, as a path may have a secret in it.
inline std::string origin_of(std::string_view url) {
  const std::size_t slashes = url.find("://");
  if (slashes == url.npos) return "a fetch";
  return std::string(url.substr(0, url.find('/', slashes + 3)));
}
}  // namespace detail

// Its texts are read, and copied, by the call of fetch().
struct FetchRequest {
  std::string_view method = "GET";
  std::string_view url = {};  // ASCII, percent-encoded; what is behind a '#' is not sent
  FetchHeaders headers = {};  // not Host, nor those of framing and connection: the client's own
  std::string_view body = {};
  std::chrono::nanoseconds timeout{};          // of all of it; 0: 30 s. The request's deadline, too
  std::chrono::nanoseconds connect_timeout{};  // name, TCP and TLS; 0: 5 s
  std::uint64_t max_response_bytes = 0;        // of the body; 0: 16 MiB, or of a stream no limit
};

// What a server has answered, whatever the status.
struct FetchResponse {
  int status = 200;
  Headers headers = {};
  std::string body = {};
  std::string url = {};  // of the request, without its query

  bool is_success() const { return status >= 200 && status < 300; }
  // Throws Error, UNAVAILABLE (502), with the URL and the status, unless it is a success.
  void check() const {
    if (!is_success()) {
      throw Error(BENTO_UNAVAILABLE,
                  detail::origin_of(url) + ": answered " + std::to_string(status), 502);
    }
  }
};

namespace detail {

inline FetchTicket start_fetch(const Context& ctx, const FetchRequest& request,
                               std::uint32_t flags) {
  const std::vector<bento_pair> headers = request.headers.abi();
  const auto ns = [](std::chrono::nanoseconds time) {
    return static_cast<std::uint64_t>(time.count() < 0 ? 1 : time.count());
  };
  bento_fetch fetch{};
  fetch.size = sizeof fetch;
  fetch.flags = flags;
  fetch.method = str(request.method);
  fetch.url = str(request.url);
  fetch.headers = {headers.data(), headers.size()};
  fetch.body = {request.body.data(), request.body.size()};
  fetch.timeout_ns = ns(request.timeout);
  fetch.connect_timeout_ns = ns(request.connect_timeout);
  fetch.max_response_bytes = request.max_response_bytes;
  return FetchTicket(ctx.host(), ctx.abi(), fetch);
}

inline FetchResponse response_of(const bento_event& event, const std::string& url) {
  FetchResponse response;
  response.status = static_cast<int>(event.status);
  response.headers = Headers(event.headers);
  response.body.assign(static_cast<const char*>(event.body.ptr), event.body.len);
  response.url = url;
  return response;
}

}  // namespace detail

// A request on its way, of the handler or task that has made it. It is moved, not copied. Once:
//
//   FetchResponse r = co_await ctx.fetch(url);
//   FetchResponse r = co_await ctx.fetch(url).within(50ms);
//   FetchResponse r = ctx.fetch(url).get();  // [waits] on a thread
class [[nodiscard]] Fetch {
 public:
  Fetch(const Context& ctx, const FetchRequest& request)
      : ctx_(&ctx),
        ticket_(detail::start_fetch(ctx, request, 0)),
        url_(request.url.substr(0, request.url.find_first_of("?#"))) {}

  // [waits] In a coroutine it throws Error, 500.
  FetchResponse get() { return take(); }

  class Awaiter : public detail::TicketWait {
   public:
    explicit Awaiter(Fetch& fetch) : TicketWait(fetch.ticket_.ticket), fetch_(fetch) {}
    FetchResponse await_resume() {
      throw_if_cancelled();
      return fetch_.take();
    }

   private:
    Fetch& fetch_;
  };
  Awaiter operator co_await() { return Awaiter(*this); }

  // The same with a limit of its own, counted from the co_await: then Error, DEADLINE_EXCEEDED, and
  // this fetch is given up; the request goes on.
  class Within : public detail::LimitedWait {
   public:
    Within(Fetch& fetch, std::chrono::nanoseconds limit)
        : LimitedWait(*fetch.ctx_, fetch.ticket_.ticket, limit), fetch_(fetch) {}
    FetchResponse await_resume() {
      check_limit(detail::origin_of(fetch_.url_));
      return fetch_.take();
    }

   private:
    Fetch& fetch_;
  };
  [[nodiscard]] Within within(std::chrono::nanoseconds limit) { return Within(*this, limit); }

 private:
  FetchResponse take() { return detail::response_of(ticket_.event(), url_); }

  const Context* ctx_;
  detail::FetchTicket ticket_;
  std::string url_;
};

// The same for a response that is taken as it comes, of any length: no more is read from the server
// than some 256 KiB ahead.
//
//   auto stream = ctx.fetch_stream({.url = url});
//   (co_await stream.head()).check();
//   while (auto piece = co_await stream.next()) co_await out.send(*piece);
//
// On a thread: stream.head().get(), stream.next().get(). A response that breaks off makes next()
// throw, after what had arrived.
class FetchStream {
 public:
  FetchStream(const Context& ctx, const FetchRequest& request)
      : ticket_(detail::start_fetch(ctx, request, BENTO_FETCH_IN_PIECES)) {
    head_.url = request.url.substr(0, request.url.find_first_of("?#"));
  }

  // Status and headers, without a body. First of all, and once.
  class Head : public detail::TicketWait {
   public:
    explicit Head(FetchStream& stream) : TicketWait(stream.ticket_.ticket), stream_(stream) {}
    const FetchResponse& await_resume() {
      throw_if_cancelled();
      return get();
    }
    const FetchResponse& get() { return stream_.take_head(); }  // [waits]

   private:
    FetchStream& stream_;
  };
  [[nodiscard]] Head head() { return Head(*this); }

  // The next piece of the body, a view that is valid until the next call; nothing: it has ended.
  class Next : public detail::TicketWait {
   public:
    explicit Next(FetchStream& stream) : TicketWait(stream.ticket_.ticket), stream_(stream) {}
    bool await_ready() const noexcept { return stream_.has_ended_; }
    std::optional<std::string_view> await_resume() {
      throw_if_cancelled();
      return get();
    }
    std::optional<std::string_view> get() { return stream_.take_piece(); }  // [waits]

   private:
    FetchStream& stream_;
  };
  [[nodiscard]] Next next() { return Next(*this); }

 private:
  const FetchResponse& take_head() {
    if (std::exchange(has_head_, true)) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "the head of a fetch is taken once");
    }
    return head_ = detail::response_of(ticket_.event(), head_.url);
  }
  std::optional<std::string_view> take_piece() {
    if (!has_head_) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "head() comes before next() of a fetch");
    }
    if (has_ended_) return std::nullopt;
    const bento_event event = ticket_.event();
    has_ended_ = event.more == 0;
    if (has_ended_ && event.body.len == 0) return std::nullopt;
    return std::string_view(static_cast<const char*>(event.body.ptr), event.body.len);
  }

  detail::FetchTicket ticket_;
  FetchResponse head_;
  bool has_head_ = false, has_ended_ = false;
};

inline Fetch Context::fetch(const FetchRequest& request) const { return Fetch(*this, request); }
inline Fetch Context::fetch(std::string_view url) const {
  FetchRequest request;
  request.url = url;
  return Fetch(*this, request);
}
inline FetchStream Context::fetch_stream(const FetchRequest& request) const {
  return FetchStream(*this, request);
}

}  // namespace bento
#endif
