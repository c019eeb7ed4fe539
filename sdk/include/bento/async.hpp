// Async: what a coroutine of a service returns. A handler that is one holds no thread while it
// waits: it is begun on the event loop of its connection, and goes on there. Part of
// <bento/bento.hpp>.
//
//   svc.api("score", [=](bento::Context& ctx, bento::TensorView<float> x) -> bento::Async<Score> {
//     auto a = embed.async_run(ctx, x);  // both are on their way
//     auto b = rank.async_run(ctx, x);
//     co_return combine(co_await a, co_await b);
//   });
//
// Between two waits it has the loop for itself, and all other connections of the loop wait: what
// computes for more than a millisecond belongs into a runner, or into on_thread(). Nothing that
// blocks may be called, Future::get() and Method::run() included; they throw Error, 500, there.
//
// Whatever it returns or throws is answered as a thread's handler's is. When the client leaves, the
// deadline passes or the host stops, what it waits for throws Error, CANCELLED or
// DEADLINE_EXCEEDED, and so does all that it waits for afterwards: destructors run where the
// coroutine stands. A coroutine that catches these and goes on keeps its request alive.
//
// The Context, and what a view among its arguments refers to, are valid until the coroutine has
// ended. It takes its input by value. A handler may capture: it is kept with the service. A lambda
// inside of a handler that is a coroutine itself must not capture, unless it outlives its calls.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <type_traits>
#include <utility>

namespace bento {

template <typename T = void>
class [[nodiscard]] Async;

#if BENTO_ABI_TARGET_MINOR >= 1

namespace detail {

template <typename T>
struct AsyncPromise : ChildPromise {
  Async<T> get_return_object() noexcept;
  template <typename U = T>
  requires std::is_constructible_v<T, U>
  void return_value(U&& value) { result.emplace(std::forward<U>(value)); }
  T take() {
    rethrow();
    return std::move(*result);
  }
  std::optional<T> result;
};

template <>
struct AsyncPromise<void> : ChildPromise {
  Async<void> get_return_object() noexcept;
  void return_void() const noexcept {}
  void take() { rethrow(); }
};

}  // namespace detail

// A coroutine that is begun when it is awaited, once, and then waited for. It is moved, not copied.
// One that is never awaited never runs.
template <typename T>
class [[nodiscard]] Async {
 public:
  using promise_type = detail::AsyncPromise<T>;

  explicit Async(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Async(Async&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Async& operator=(Async&&) = delete;
  ~Async() {
    if (coroutine_) coroutine_.destroy();
  }

  class Awaiter {
   public:
    explicit Awaiter(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
    Awaiter(const Awaiter&) = delete;
    Awaiter& operator=(const Awaiter&) = delete;
    bool await_ready() const {
      if (coroutine_ && !coroutine_.done()) return false;
      detail::misuse(BENTO_FAILED_PRECONDITION, "a bento::Async is awaited once");
    }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> whom) const {
      return coroutine_.promise().run(coroutine_, whom);
    }
    T await_resume() const { return coroutine_.promise().take(); }

   private:
    std::coroutine_handle<promise_type> coroutine_;
  };
  Awaiter operator co_await() const noexcept { return Awaiter(coroutine_); }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

namespace detail {

template <typename T>
Async<T> AsyncPromise<T>::get_return_object() noexcept {
  return Async<T>(std::coroutine_handle<AsyncPromise>::from_promise(*this));
}
inline Async<void> AsyncPromise<void>::get_return_object() noexcept {
  return Async<void>(std::coroutine_handle<AsyncPromise>::from_promise(*this));
}

template <typename T>
struct AsyncTraits {
  static constexpr bool kIs = false;
};
template <typename T>
struct AsyncTraits<Async<T>> {
  static constexpr bool kIs = true;
  using Result = T;
};

// Fails when the request is cancelled or late before the time has passed.
class Sleep : public TicketWait {
 public:
  Sleep(const Context& ctx, std::chrono::nanoseconds time) : TicketWait(timer_) {
    bento_ticket* timer = nullptr;
    bento_error error = make_error();
    const auto ns = static_cast<std::uint64_t>(time.count() > 0 ? time.count() : 0);
    check(ctx.host()->after(ctx.abi(), ns, &timer, &error), error);
    timer_ = Ticket(timer, {ctx.host()});
  }
  void await_resume() { (void)take(); }

 private:
  Ticket timer_;
};

// Its end is waited for in any case, as the function may use the coroutine's variables.
template <typename F>
class OnThread : public TicketWait {
 public:
  using Result = std::invoke_result_t<F&>;

  OnThread(const Context& ctx, F f) : TicketWait(ticket_), ctx_(ctx), f_(std::move(f)) {}

  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    if (!begin(whom)) return false;
    bento_ticket* ticket = nullptr;
    bento_error error = make_error();
    const bento_code code = ctx_.host()->offload(ctx_.abi(), &work, this, &ticket, &error);
    if (code != BENTO_OK) stay();
    check(code, error);
    ticket_ = Ticket(ticket, {ctx_.host()});
    return suspend();
  }
  Result await_resume() {
    (void)take();
    if (failure_) std::rethrow_exception(failure_);
    if constexpr (!std::is_void_v<Result>) return std::move(*result_);
  }

 private:
  using Kept = std::conditional_t<std::is_void_v<Result>, bool, Result>;

  static void work(void* self) { static_cast<OnThread*>(self)->run(); }
  void run() noexcept {
    try {
      if constexpr (std::is_void_v<Result>) {
        f_();
      } else {
        result_.emplace(f_());
      }
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  void cancel() override {}  // wake() comes, and only when the work is done

  const Context& ctx_;
  F f_;
  Ticket ticket_;
  std::optional<Kept> result_;
  std::exception_ptr failure_;
};

}  // namespace detail

// co_await bento::sleep(ctx, 1s): goes on when the time, counted from this call, has passed.
[[nodiscard]] inline detail::Sleep sleep(const Context& ctx, std::chrono::nanoseconds time) {
  return detail::Sleep(ctx, time);
}

// co_await bento::on_thread(ctx, f): f() on a thread of the host, where it may block and compute;
// then its result, or what it has thrown. Its end is waited for even if the request is cancelled,
// so f may refer to the coroutine's variables. It is given no Context, and must not use one. Throws
// Error, 503, when too many threads are wanted.
template <typename F>
[[nodiscard]] detail::OnThread<F> on_thread(const Context& ctx, F f) {
  static_assert(std::is_invocable_v<F&>, "on_thread() calls a function without arguments");
  static_assert(!std::is_reference_v<std::invoke_result_t<F&>>,
                "what on_thread() calls returns a value, not a reference");
  return detail::OnThread<F>(ctx, std::move(f));
}

#else

template <typename T>
class [[nodiscard]] Async {
  static_assert(!std::is_same_v<T, T>,
                "bento::Async: coroutines need BENTO_ABI_TARGET_MINOR 1, and a host of ABI 1.1");
};

#endif

}  // namespace bento
