// AsyncExchange: one request whose handler is a coroutine that reads or answers piece by piece, a
// Generator, or a Router's; the handler asks for parts of it by type. Part of <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>
#include <rapidjson/document.h>

#include <bento/app.hpp>
#include <bento/async.hpp>
#include <bento/async_stream.hpp>
#include <bento/background.hpp>
#include <bento/context.hpp>
#include <bento/detail/json_parser.hpp>
#include <bento/detail/json_writer.hpp>
#include <bento/detail/router_exchange.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/fields.hpp>
#include <bento/generator.hpp>
#include <bento/io.hpp>
#include <bento/query.hpp>
#include <bento/stream.hpp>
#include <exception>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

namespace bento::detail {

template <typename R>
inline constexpr bool kIsCoroutine = false;

#if BENTO_ABI_TARGET_MINOR >= 1

template <typename T>
inline constexpr bool kIsCoroutine<Async<T>> = true;
template <typename T>
inline constexpr bool kIsCoroutine<Generator<T>> = true;

// Lives in the outermost coroutine, and so as long as the handler's.
class AsyncExchange {
 public:
  AsyncExchange(const Context& context, bento_channel* channel, PathParams params = {})
      : context_(context), stream_(channel), events_(stream_), params_(std::move(params)) {}
  AsyncExchange(const AsyncExchange&) = delete;
  AsyncExchange& operator=(const AsyncExchange&) = delete;

  // Whether a parameter of type T is made from the body.
  template <typename T>
  static constexpr bool kIsOfBody =
      std::is_same_v<T, Request> || std::is_same_v<T, Json> || std::is_same_v<T, Bytes> ||
      std::is_same_v<T, std::string> || std::is_same_v<T, std::string_view> || JsonBody<T>;

  // Reads the whole body, before argument() is asked for what is made from it.
  Async<> read_request() {
    Request request = make_request(context_.scope());
    while (const auto piece = co_await stream_.receive()) request.body += *piece;
    request_ = std::move(request);
  }
  // The argument for a parameter of type A.
  template <typename A>
  decltype(auto) argument() {
    using T = std::remove_cvref_t<A>;
    constexpr bool kStays = std::is_same_v<T, Context> || std::is_same_v<T, AsyncStream> ||
                            std::is_same_v<T, AsyncEventStream> || std::is_same_v<T, PathParams> ||
                            std::is_same_v<T, Request>;
    static_assert(!std::is_same_v<T, Stream> && !std::is_same_v<T, EventStream>,
                  "a handler that is a coroutine asks for a bento::AsyncStream& or "
                  "AsyncEventStream&: a Stream waits, and would hold up the event loop");
    static_assert(kStays || !std::is_reference_v<A>,
                  "a handler that is a coroutine takes this by value: what a reference means "
                  "is gone when it goes on");
    if constexpr (std::is_same_v<T, Context>) {
      return (context_);
    } else if constexpr (std::is_same_v<T, AsyncStream>) {
      return (stream_);
    } else if constexpr (std::is_same_v<T, AsyncEventStream>) {
      return (events_);
    } else if constexpr (std::is_same_v<T, PathParams>) {
      return std::as_const(params_);
    } else if constexpr (std::is_same_v<T, Query>) {
      return Query(view(context_.scope().query));
    } else if constexpr (std::is_same_v<T, Request>) {
      return std::as_const(*request_);
    } else if constexpr (std::is_same_v<T, Json>) {
      check_json_body();
      return Json{request_->body};
    } else if constexpr (std::is_same_v<T, Bytes>) {
      return Bytes{request_->body, std::string(context_.header("content-type"))};
    } else if constexpr (kIsOfBody<T> && !JsonBody<T>) {
      return T(request_->body);
    } else {
      static_assert(JsonBody<T>,
                    "a handler that is a coroutine and answers piece by piece, or is a Router's, "
                    "asks for a bento::Context&, AsyncStream& or AsyncEventStream&, a const "
                    "bento::Request& or PathParams&, a bento::Query, or for the body as a struct "
                    "with BENTO_FIELDS, a bento::Json, bento::Bytes or a text");
      return from_json<T>(request_->body);
    }
  }

  Context& context() { return context_; }
  AsyncStream& stream() { return stream_; }
  AsyncEventStream& events() { return events_; }

 private:
  void check_json_body() const {
    rapidjson::Document document;
    parse_json(request_->body, document);
  }

  Context context_;
  AsyncStream stream_;
  AsyncEventStream events_;
  PathParams params_;
  std::optional<Request> request_;
};

using AsyncHandler = std::function<Async<>(AsyncExchange&)>;

template <typename... Args>
constexpr bool asks_for_body(std::type_identity<std::tuple<Args...>>) {
  return (AsyncExchange::kIsOfBody<std::remove_cvref_t<Args>> || ...);
}
template <typename F, typename... Args>
auto call_with(const F& handler, AsyncExchange& exchange, std::type_identity<std::tuple<Args...>>) {
  return handler(exchange.argument<Args>()...);
}

// What a Generator yields, as pieces of an answer.
template <typename T>
void start_pieces(Stream& stream, const T* first) {
  if constexpr (std::is_same_v<T, Bytes>) {
    const bool has_type = first != nullptr && !first->mime.empty();
    stream.start(200, has_type ? first->mime : "application/octet-stream");
  } else if constexpr (std::is_constructible_v<std::string_view, const T&>) {
    stream.start(200, "text/plain; charset=utf-8");
  } else {
    stream.start(200, "application/x-ndjson");
  }
}
template <typename T>
std::string to_piece(const T& value) {
  if constexpr (std::is_same_v<T, Bytes>) {
    return value.data;
  } else if constexpr (std::is_constructible_v<std::string_view, const T&>) {
    return std::string(std::string_view(value));
  } else if constexpr (std::is_same_v<T, Json>) {
    check_json_result(value.text);
    std::string line = value.text;  // between its tokens, a line break is a space's equal
    for (char& c : line) c = c == '\n' || c == '\r' ? ' ' : c;
    return line += '\n';
  } else {
    static_assert(JsonBody<T>,
                  "a Generator yields bento::Events, Json, Bytes, texts, or structs with "
                  "BENTO_FIELDS");
    return to_json(value) + '\n';
  }
}

template <typename T>
Async<> answer_generated(AsyncExchange& exchange, Generator<T> generator) {
  const T* value = co_await generator.next();
  if constexpr (std::is_same_v<T, Event>) {
    for (; value != nullptr; value = co_await generator.next()) {
      co_await exchange.events().send(*value);
    }
    if (!exchange.stream().is_under_way()) co_await exchange.events().open();
  } else {
    start_pieces(exchange.stream().without_waiting(), value);
    for (; value != nullptr; value = co_await generator.next()) {
      co_await exchange.stream().send(to_piece(*value));
    }
  }
}

// `F` is the handler, a coroutine; the closure stays where it is, in the service's description.
template <typename F>
Async<> answer_by(const F& handler, AsyncExchange& exchange) {
  using Asked = typename RouteSignature<F>::Tuple;
  constexpr std::type_identity<Asked> kAsked;
  using Returned = decltype(call_with(handler, exchange, kAsked));
  constexpr bool kHasEvents = kAsksFor<Asked, AsyncEventStream>;
  constexpr bool kHasStream = kAsksFor<Asked, AsyncStream> || kHasEvents;
  if constexpr (asks_for_body(kAsked)) co_await exchange.read_request();
  if constexpr (GeneratorTraits<Returned>::kIs) {
    static_assert(!kHasStream, "a Generator answers by what it yields: it has no stream");
    co_await answer_generated(exchange, call_with(handler, exchange, kAsked));
  } else if constexpr (kHasStream) {
    static_assert(std::is_same_v<Returned, Async<void>>,
                  "a handler with a stream answers through it: it returns bento::Async<>");
    co_await call_with(handler, exchange, kAsked);
    if (kHasEvents && !exchange.stream().is_under_way()) co_await exchange.events().open();
  } else if constexpr (std::is_same_v<Returned, Async<void>>) {
    co_await call_with(handler, exchange, kAsked);
    exchange.stream().without_waiting().start(204, "");
    exchange.stream().without_waiting().end();
  } else {
    using Result = typename AsyncTraits<Returned>::Result;
    Result result = co_await call_with(handler, exchange, kAsked);
    if constexpr (TaskResponseTraits<Result>::kIs) {
      const Response response = make_response(std::move(result.result));
      std::move(result.tasks).defer(exchange.context());
      answer(exchange.stream().without_waiting(), response);
    } else {
      answer(exchange.stream().without_waiting(), make_response<Result>(std::move(result)));
    }
  }
}

template <typename F>
AsyncHandler make_async_handler(F handler) {
  return [handler = std::move(handler)](AsyncExchange& exchange) {
    return answer_by(handler, exchange);
  };
}

// Runs a handler to its end, ends the answer that it leaves open, and finishes.
inline Detached drive(const AsyncHandler& handler, Context context, bento_channel* channel,
                      PathParams params, bento_done* done) {
  std::exception_ptr failure;
  try {
    AsyncExchange exchange(context, channel, std::move(params));
    std::exception_ptr own;
    try {
      co_await handler(exchange);
    } catch (...) {
      own = std::current_exception();
    }
    exchange.stream().without_waiting().run([&] {
      if (own) std::rethrow_exception(own);
    });
  } catch (...) {
    failure = std::current_exception();
  }
  finish(done, failure);
}

#else

using AsyncHandler = std::function<void()>;  // nothing is one
template <typename F>
AsyncHandler make_async_handler(F);

#endif

// Whether a handler of a Router, with any parameters, returns a coroutine.
template <typename F>
constexpr bool is_coroutine_handler() {
  if constexpr (std::is_invocable_v<const F&>) {
    return kIsCoroutine<std::invoke_result_t<const F&>>;
  } else {
    return kIsCoroutine<typename Signature<F>::Result>;
  }
}

}  // namespace bento::detail
