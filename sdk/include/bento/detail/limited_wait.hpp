// LimitedWait: awaits a ticket for some time at most; LimitedCall: a runner call. Part of
// <bento/bento.hpp>; see Future::within().
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace bento::detail {

// The runner call that a ticket is of.
struct RunnerCall {
  RunnerCall(const Context& context, bento_ticket* made, std::string_view runner_name,
             std::string_view method_name)
      : ctx(&context), ticket(made, {context.host()}), runner(runner_name), method(method_name) {}
  const Context* ctx;
  Ticket ticket;  // null: it was cancelled
  std::string_view runner, method;
};

#if BENTO_ABI_TARGET_MINOR >= 1

// Suspends until the ticket has something to say, or the limit is over, counted from the co_await:
// then the ticket is given up.
class LimitedWait : public Wait {
 public:
  LimitedWait(const Context& ctx, Ticket& ticket, std::chrono::nanoseconds limit)
      : ctx_(ctx), ticket_(ticket), limit_(limit) {}
  bool await_ready() const noexcept { return false; }
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    return begin(whom) && (suspend() || (stay(), false));
  }

 protected:
  void check_limit(const std::string& what) {
    throw_if_cancelled();
    if (!is_late_) return;
    // The timer ends early, and with an error, when the request is cancelled.
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = make_error();
    check(host()->next(timer_.get(), &values, &n, &error), error);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit_).count();
    throw Error(BENTO_DEADLINE_EXCEEDED,
                what + " has not answered within " + std::to_string(ms) + " ms");
  }

 private:
  const bento_host* host() const { return ctx_.host(); }
  bool suspend() {
    if (ticket_ == nullptr) misuse(BENTO_FAILED_PRECONDITION, "it was given up before");
    if (host()->when(ticket_.get(), &LimitedWait::on_result, this) == 0) return false;
    bento_ticket* timer = nullptr;
    const auto ns = static_cast<std::uint64_t>(limit_.count() > 0 ? limit_.count() : 0);
    bento_error error = make_error();
    const bento_code code = host()->after(ctx_.abi(), ns, &timer, &error);
    if (code != BENTO_OK) ticket_.reset();  // so that it does not wake
    check(code, error);
    timer_ = Ticket(timer, {host()});
    if (host()->when(timer, &LimitedWait::on_limit, this) != 0) return true;
    is_late_ = true;
    ticket_.reset();
    return false;
  }
  static void on_result(void* self) {
    static_cast<LimitedWait*>(self)->timer_.reset();
    static_cast<LimitedWait*>(self)->resume();
  }
  static void on_limit(void* self) {
    static_cast<LimitedWait*>(self)->is_late_ = true;
    static_cast<LimitedWait*>(self)->ticket_.reset();
    static_cast<LimitedWait*>(self)->resume();
  }
  void cancel() override {
    timer_.reset();
    ticket_.reset();
    resume();
  }

  const Context& ctx_;
  Ticket& ticket_;
  const std::chrono::nanoseconds limit_;
  Ticket timer_;
  bool is_late_ = false;
};

class LimitedCall : public LimitedWait {
 public:
  LimitedCall(RunnerCall& call, std::chrono::nanoseconds limit)
      : LimitedWait(*call.ctx, call.ticket, limit), call_(call) {}

 protected:
  // Throws Error, DEADLINE_EXCEEDED (504), when the limit is over.
  std::span<const bento_value* const> take() {
    check_limit(std::string(call_.runner) + "." + std::string(call_.method));
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = make_error();
    check(call_.ctx->host()->next(call_.ticket.get(), &values, &n, &error), error);
    return {values, n};
  }

 private:
  RunnerCall& call_;
};

#endif

}  // namespace bento::detail
