// Future: a runner's call that is on its way. Part of <bento/bento.hpp>; see <bento/runner.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/limited_wait.hpp>
#include <bento/detail/pack.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <chrono>
#include <cstddef>
#include <span>
#include <string_view>

namespace bento {

// A runner call on its way, of the handler that has made it. It is moved, not copied, and is
// destroyed before the handler returns. Destroying it unused cancels the call: what waits in a
// queue is dropped; what a worker has begun runs to its end, for nobody. A handler on a thread asks
// it to get(), a coroutine awaits it:
//
//   Out out = co_await predict.async_run(ctx, x);
//   Out out = co_await predict.async_run(ctx, x).within(50ms);
//
// Once, either way. It throws Error as Method::run() does. A result that is a view
// (std::string_view, TensorView) is valid while this Future lives; others are copies.
template <typename Out>
class [[nodiscard]] Future {
 public:
  Future(const Context& ctx, bento_ticket* ticket, std::string_view runner, std::string_view method)
      : call_(ctx, ticket, runner, method) {}

  // [waits] Until the result is there, the call has failed or the request's deadline is past. If
  // the client leaves, a call that is still queued fails; a worker's call is waited for. In a
  // coroutine it throws Error, 500.
  Out get() {
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = detail::make_error();
    if (call_.ticket == nullptr) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "the call was cancelled");
    }
    detail::check(call_.ctx->host()->wait(call_.ticket.get(), &values, &n, &error), error);
    return take({values, n});
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  class Awaiter : public detail::TicketWait {
   public:
    explicit Awaiter(Future& future) : TicketWait(future.call_.ticket) {}
    Out await_resume() { return Future::take(take()); }
  };
  // An awaiter refers to the Future, which lives until the coroutine goes on.
  Awaiter operator co_await() { return Awaiter(*this); }

  // The same with a limit of its own, counted from the co_await: then Error, DEADLINE_EXCEEDED
  // (504), and the call is cancelled; the request goes on.
  class Within : public detail::LimitedCall {
   public:
    Within(Future& future, std::chrono::nanoseconds limit) : LimitedCall(future.call_, limit) {}
    Out await_resume() { return Future::take(take()); }
  };
  [[nodiscard]] Within within(std::chrono::nanoseconds limit) { return Within(*this, limit); }
#endif

 private:
  static Out take(std::span<const bento_value* const> values) {
    if (values.size() < detail::Pack<Out>::kCount) {
      throw Error(BENTO_INTERNAL, "the runner returned nothing");
    }
    return detail::Pack<Out>::get(values.data());
  }

  detail::RunnerCall call_;
};

#if BENTO_ABI_TARGET_MINOR >= 1
// Of a call whose input is a temporary that g++ would spoil: see detail::kMustHaveName.
template <typename Out>
class [[nodiscard]] FutureOfTemporary : public Future<Out> {
 public:
  using Future<Out>::Future;
  void within(std::chrono::nanoseconds) && = delete;  // give the input, or the call, a name
  void operator co_await() && = delete;               // give the input, or the call, a name
  auto within(std::chrono::nanoseconds limit) & { return Future<Out>::within(limit); }
  auto operator co_await() & { return Future<Out>::operator co_await(); }
};
#endif

}  // namespace bento
