// What Service::api() makes of a handler: the record's function of the ABI for its form. Part of
// <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/async.hpp>
#include <bento/background.hpp>
#include <bento/context.hpp>
#include <bento/detail/api_record.hpp>
#include <bento/detail/async_call.hpp>
#include <bento/detail/async_exchange.hpp>
#include <bento/detail/pack.hpp>
#include <bento/detail/signature.hpp>
#include <bento/error.hpp>
#include <bento/event_stream.hpp>
#include <bento/generator.hpp>
#include <bento/io.hpp>
#include <bento/stream.hpp>
#include <type_traits>
#include <utility>

namespace bento::detail {

template <typename In, typename F>
void handle_values(ApiRecord& record, F handler) {
  using Returned = typename Signature<F>::Result;
  using Out = typename TaskResponseTraits<Returned>::Result;
  constexpr bool kTakesBody = !std::is_same_v<In, Context>;
  if constexpr (kTakesBody) {
    record.in.describe<In>(record.given_in, "api " + record.name + ": its input");
  } else {
    record.in.describe_as(record.given_in ? *record.given_in : FileIO());
  }
  record.out.describe<Out>(record.given_out, "api " + record.name + ": its output");
  record.handler = [handler = std::move(handler)](Context& ctx, const bento_value* const* in,
                                                  bento_sink* sink) {
    const auto call = [&]() -> decltype(auto) {
      if constexpr (kTakesBody) {
        return call_handler(handler, ctx, Pack<In>::get(in));
      } else {
        return call_handler(handler, ctx);
      }
    };
    if constexpr (TaskResponseTraits<Returned>::kIs) {
      Returned returned = call();
      put_pack(sink, returned.result);
      std::move(returned.tasks).defer(ctx);
    } else {
      put_pack(sink, call());
    }
  };
  record.abi.invoke = &ApiRecord::invoke;
  record.describe_io();
}

#if BENTO_ABI_TARGET_MINOR >= 1
template <typename In, typename Result, typename F>
void handle_async_values(ApiRecord& record, F handler) {
  constexpr bool kTakesBody = !std::is_same_v<In, Context>;
  if constexpr (kTakesBody) {
    static_assert(!std::is_reference_v<typename Signature<F>::LastAsked>,
                  "a handler that is a coroutine takes its input by value: what a reference "
                  "means is gone when it goes on");
    record.in.describe<In>(record.given_in, "api " + record.name + ": its input");
  } else {
    record.in.describe_as(record.given_in ? *record.given_in : FileIO());
  }
  using Out = typename TaskResponseTraits<Result>::Result;
  record.out.describe<Out>(record.given_out, "api " + record.name + ": its output");
  record.async_handler = [handler = std::move(handler)](
                             const Context& context, const bento_value* const* in,
                             bento_done* done) { drive<In, Result>(handler, context, in, done); };
  record.abi.invoke_async = &ApiRecord::invoke_async;
  record.describe_io();
}

template <typename F>
void handle_async(ApiRecord& record, F handler) {
  using S = Signature<F>;
  using Returned = typename S::Result;
  if ((record.abi.flags & BENTO_API_QUICK) != 0) {
    throw Error(BENTO_FAILED_PRECONDITION,
                "api " + record.name + ": a coroutine runs on the event loop without .quick");
  }
  if constexpr (GeneratorTraits<Returned>::kIs || std::is_same_v<Returned, Async<>>) {
    record.async_stream_handler = make_async_handler(std::move(handler));
    record.abi.raw_async = &ApiRecord::raw_async;
  } else {
    handle_async_values<typename S::Last, typename AsyncTraits<Returned>::Result>(
        record, std::move(handler));
  }
}
#else
template <typename F>
void handle_async(ApiRecord&, F);  // there are no coroutines
#endif

template <typename In, typename F>
void handle_stream(ApiRecord& record, F handler) {
  static_assert(std::is_void_v<typename Signature<F>::Result>,
                "a handler with a stream answers through it: it returns void");
  record.stream_handler = [handler = std::move(handler)](Context& ctx, Stream& stream) {
    if constexpr (std::is_same_v<In, EventStream>) {
      EventStream events(stream);
      call_handler(handler, ctx, events);
      events.open();  // no events are a stream, too
    } else {
      call_handler(handler, ctx, stream);
    }
  };
  record.abi.raw = &ApiRecord::raw;
}

template <typename F>
void handle(ApiRecord& record, F handler) {
  record.expect_no_stream();
  using In = typename Signature<F>::Last;
  if constexpr (kIsCoroutine<typename Signature<F>::Result>) {
    handle_async(record, std::move(handler));
  } else if constexpr (std::is_same_v<In, Stream> || std::is_same_v<In, EventStream>) {
    handle_stream<In>(record, std::move(handler));
  } else {
    handle_values<In>(record, std::move(handler));
  }
}

}  // namespace bento::detail
