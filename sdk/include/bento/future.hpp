// Future: a runner's call that is on its way. Part of <bento/bento.hpp>; see <bento/runner.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
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
      : ctx_(&ctx), ticket_(ticket, {ctx.host()}), runner_(runner), method_(method) {}

  // [waits] Until the result is there, the call has failed or the request's deadline is past. If
  // the client leaves, a call that is still queued fails; a worker's call is waited for. In a
  // coroutine it throws Error, 500.
  Out get() {
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = detail::make_error();
    if (ticket_ == nullptr) detail::misuse(BENTO_FAILED_PRECONDITION, "the call was cancelled");
    const bento_host* host = ticket_.get_deleter().host;
    detail::check(host->wait(ticket_.get(), &values, &n, &error), error);
    return take({values, n});
  }

#if BENTO_ABI_TARGET_MINOR >= 1
  class Awaiter : public detail::TicketWait {
   public:
    explicit Awaiter(Future& future) : TicketWait(future.ticket_) {}
    Out await_resume() { return Future::take(take()); }
  };
  // An awaiter refers to the Future, which lives until the coroutine goes on.
  Awaiter operator co_await() { return Awaiter(*this); }

  // The same with a limit of its own, counted from the co_await: then Error, DEADLINE_EXCEEDED
  // (504), and the call is cancelled; the request goes on.
  class Within : public detail::Wait {
   public:
    Within(Future& future, std::chrono::nanoseconds limit) : future_(future), limit_(limit) {}
    bool await_ready() const noexcept { return false; }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> whom) {
      return begin(whom) && (suspend() || (stay(), false));
    }
    Out await_resume() {
      throw_if_cancelled();
      if (is_late_) check_limit();
      const bento_value* const* values = nullptr;
      std::size_t n = 0;
      bento_error error = detail::make_error();
      detail::check(host()->next(future_.ticket_.get(), &values, &n, &error), error);
      return Future::take({values, n});
    }

   private:
    const bento_host* host() const { return future_.ctx_->host(); }
    bool suspend() {
      if (future_.ticket_ == nullptr) {
        detail::misuse(BENTO_FAILED_PRECONDITION, "the call was cancelled");
      }
      if (host()->when(future_.ticket_.get(), &Within::on_result, this) == 0) return false;
      bento_ticket* timer = nullptr;
      const auto ns = static_cast<std::uint64_t>(limit_.count() > 0 ? limit_.count() : 0);
      bento_error error = detail::make_error();
      const bento_code code = host()->after(future_.ctx_->abi(), ns, &timer, &error);
      if (code != BENTO_OK) future_.ticket_.reset();  // so that it does not wake
      detail::check(code, error);
      timer_ = detail::Ticket(timer, {host()});
      if (host()->when(timer, &Within::on_limit, this) != 0) return true;
      is_late_ = true;
      future_.ticket_.reset();
      return false;
    }
    static void on_result(void* self) {
      static_cast<Within*>(self)->timer_.reset();
      static_cast<Within*>(self)->resume();
    }
    static void on_limit(void* self) {
      static_cast<Within*>(self)->is_late_ = true;
      static_cast<Within*>(self)->future_.ticket_.reset();
      static_cast<Within*>(self)->resume();
    }
    // The timer ends early, and with an error, when the request is cancelled.
    [[noreturn]] void check_limit() {
      const bento_value* const* values = nullptr;
      std::size_t n = 0;
      bento_error error = detail::make_error();
      detail::check(host()->next(timer_.get(), &values, &n, &error), error);
      const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit_).count();
      throw Error(BENTO_DEADLINE_EXCEEDED,
                  std::string(future_.runner_) + "." + std::string(future_.method_) +
                      " has not answered within " + std::to_string(ms) + " ms");
    }
    void cancel() override {
      timer_.reset();
      future_.ticket_.reset();
      resume();
    }

    Future& future_;
    std::chrono::nanoseconds limit_;
    detail::Ticket timer_;
    bool is_late_ = false;
  };
  [[nodiscard]] Within within(std::chrono::nanoseconds limit) { return Within(*this, limit); }
#endif

 private:
  static Out take(std::span<const bento_value* const> values) {
    if (values.empty()) throw Error(BENTO_INTERNAL, "the runner returned nothing");
    return detail::IoTraits<Out>::get(*values[0]);
  }

  const Context* ctx_;
  detail::Ticket ticket_;
  std::string_view runner_, method_;
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
