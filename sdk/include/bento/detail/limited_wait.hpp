// LimitedWait: awaits a ticket for some time at most. Part of <bento/bento.hpp>; see
// Future::within().
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

// When the limit, counted from the co_await, is over, the call is cancelled.
class LimitedWait : public Wait {
 public:
  LimitedWait(RunnerCall& call, std::chrono::nanoseconds limit) : call_(call), limit_(limit) {}
  bool await_ready() const noexcept { return false; }
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    return begin(whom) && (suspend() || (stay(), false));
  }

 protected:
  // Throws Error, DEADLINE_EXCEEDED (504), when the limit is over.
  std::span<const bento_value* const> take() {
    throw_if_cancelled();
    if (is_late_) check_limit();
    return next(call_.ticket);
  }

 private:
  const bento_host* host() const { return call_.ctx->host(); }
  std::span<const bento_value* const> next(const Ticket& ticket) const {
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = make_error();
    check(host()->next(ticket.get(), &values, &n, &error), error);
    return {values, n};
  }
  bool suspend() {
    if (call_.ticket == nullptr) misuse(BENTO_FAILED_PRECONDITION, "the call was cancelled");
    if (host()->when(call_.ticket.get(), &LimitedWait::on_result, this) == 0) return false;
    bento_ticket* timer = nullptr;
    const auto ns = static_cast<std::uint64_t>(limit_.count() > 0 ? limit_.count() : 0);
    bento_error error = make_error();
    const bento_code code = host()->after(call_.ctx->abi(), ns, &timer, &error);
    if (code != BENTO_OK) call_.ticket.reset();  // so that it does not wake
    check(code, error);
    timer_ = Ticket(timer, {host()});
    if (host()->when(timer, &LimitedWait::on_limit, this) != 0) return true;
    is_late_ = true;
    call_.ticket.reset();
    return false;
  }
  static void on_result(void* self) {
    static_cast<LimitedWait*>(self)->timer_.reset();
    static_cast<LimitedWait*>(self)->resume();
  }
  static void on_limit(void* self) {
    static_cast<LimitedWait*>(self)->is_late_ = true;
    static_cast<LimitedWait*>(self)->call_.ticket.reset();
    static_cast<LimitedWait*>(self)->resume();
  }
  // The timer ends early, and with an error, when the request is cancelled.
  [[noreturn]] void check_limit() {
    (void)next(timer_);
    const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(limit_).count();
    throw Error(BENTO_DEADLINE_EXCEEDED,
                std::string(call_.runner) + "." + std::string(call_.method) +
                    " has not answered within " + std::to_string(ms) + " ms");
  }
  void cancel() override {
    timer_.reset();
    call_.ticket.reset();
    resume();
  }

  RunnerCall& call_;
  std::chrono::nanoseconds limit_;
  Ticket timer_;
  bool is_late_ = false;
};

#endif

}  // namespace bento::detail
