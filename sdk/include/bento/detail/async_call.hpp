// An API's call with values whose handler is a coroutine. Part of <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/async.hpp>
#include <bento/background.hpp>
#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/pack.hpp>
#include <bento/error.hpp>
#include <exception>
#include <type_traits>
#include <utility>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::detail {

// The handler's coroutine, not yet begun. Its input is a value, or a view of what `in` has.
template <typename In, typename F>
auto begin_handler(const F& handler, Context& context, const bento_value* const* in) {
  if constexpr (std::is_same_v<In, Context>) {
    return handler(context);
  } else if constexpr (std::is_invocable_v<const F&, Context&, In>) {
    return handler(context, Pack<In>::get(in));
  } else {
    return handler(Pack<In>::get(in));
  }
}

// `handler` and `in` outlive it: the service's description has the one, the host the other.
template <typename In, typename Result, typename F>
Detached drive(const F& handler, Context context, const bento_value* const* in, bento_done* done) {
  std::exception_ptr failure;
  try {
    Async<Result> task = begin_handler<In>(handler, context, in);
    if constexpr (TaskResponseTraits<Result>::kIs) {
      Result result = co_await task;
      put_pack(done->sink, result.result);
      std::move(result.tasks).defer(context);
    } else {
      put_pack(done->sink, co_await task);
    }
  } catch (...) {
    failure = std::current_exception();
  }
  finish(done, failure);
}

}  // namespace bento::detail
#endif
