// RouterExchange: one request to a Router, whose handler asks for parts of it by type. Part of
// <bento/bento.hpp>; see <bento/router.hpp>.
#pragma once

#include <bento/app.hpp>
#include <bento/background.hpp>
#include <bento/context.hpp>
#include <bento/detail/signature.hpp>
#include <bento/event_stream.hpp>
#include <bento/fields.hpp>
#include <bento/query.hpp>
#include <bento/stream.hpp>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>

namespace bento {
template <typename T>
Response make_response(T result);  // <bento/router.hpp>
}  // namespace bento

namespace bento::detail {

// One request on its way to its handler. The parts that a handler may ask for are made on demand.
class RouterExchange {
 public:
  RouterExchange(Context& context, Stream& stream, PathParams params)
      : context_(context), stream_(stream), events_(stream), params_(std::move(params)) {}

  // The argument for a parameter of type A.
  template <typename A>
  decltype(auto) argument() {
    using T = std::remove_cvref_t<A>;
    if constexpr (std::is_same_v<T, Context>) {
      return (context_);
    } else if constexpr (std::is_same_v<T, Stream>) {
      return (stream_);
    } else if constexpr (std::is_same_v<T, EventStream>) {
      return (events_);
    } else if constexpr (std::is_same_v<T, PathParams>) {
      return std::as_const(params_);
    } else if constexpr (std::is_same_v<T, Query>) {
      return Query(view(context_.scope().query));
    } else if constexpr (std::is_same_v<T, Request>) {
      return request();
    } else {
      static_assert(JsonBody<T>,
                    "a handler of a Router asks for a bento::Context&, Stream& or EventStream&, a "
                    "const bento::Request&, Query& or PathParams&, or a struct with BENTO_FIELDS");
      return from_json<T>(request().body);
    }
  }
  Context& context() const { return context_; }
  Stream& stream() const { return stream_; }
  EventStream& events() { return events_; }

 private:
  const Request& request() {
    if (!request_) request_ = read_request(context_.scope(), stream_);
    return *request_;
  }

  Context& context_;
  Stream& stream_;
  EventStream events_;
  PathParams params_;
  std::optional<Request> request_;
};

using RouteHandler = std::function<void(RouterExchange&)>;

template <typename Tuple, typename T>
inline constexpr bool kAsksFor = false;
template <typename... Args, typename T>
inline constexpr bool kAsksFor<std::tuple<Args...>, T> =
    (std::is_same_v<std::remove_cvref_t<Args>, T> || ...);

template <typename F>
struct RouteSignature : Signature<F> {};
template <typename F>
requires std::is_invocable_v<const F&>
struct RouteSignature<F> {
  using Tuple = std::tuple<>;
};

template <typename F, typename... Args>
decltype(auto) call_with(const F& handler, RouterExchange& exchange,
                         std::type_identity<std::tuple<Args...>>) {
  return handler(exchange.argument<Args>()...);
}

template <typename F>
RouteHandler make_route_handler(F handler) {
  using Asked = typename RouteSignature<F>::Tuple;
  return [handler = std::move(handler)](RouterExchange& exchange) {
    constexpr std::type_identity<Asked> kAsked;
    using Result = std::remove_cvref_t<decltype(call_with(handler, exchange, kAsked))>;
    if constexpr (kAsksFor<Asked, Stream> || kAsksFor<Asked, EventStream>) {
      static_assert(std::is_void_v<Result>,
                    "a handler with a stream answers through it: it returns void");
      call_with(handler, exchange, kAsked);
      if (kAsksFor<Asked, EventStream>) exchange.events().open();  // it may have no events
    } else if constexpr (std::is_void_v<Result>) {
      call_with(handler, exchange, kAsked);
      exchange.stream().start(204, "");
      exchange.stream().end();
    } else if constexpr (TaskResponseTraits<Result>::kIs) {
      Result result = call_with(handler, exchange, kAsked);
      const Response response = make_response(std::move(result.result));
      std::move(result.tasks).defer(exchange.context());
      answer(exchange.stream(), response);
    } else {
      answer(exchange.stream(), make_response<Result>(call_with(handler, exchange, kAsked)));
    }
  };
}

}  // namespace bento::detail
