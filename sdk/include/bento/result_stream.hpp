// ResultStream: a call of a streaming runner method that is on its way. Part of <bento/bento.hpp>;
// see <bento/runner.hpp>.
//
//   auto tokens = generate.stream(ctx, prompt);
//   for (const Token& token : tokens) out.send(token.text);                  // on a thread
//   while (auto token = co_await tokens.next()) co_await out.send(token->text);  // in a coroutine
#pragma once

#include <bento/abi.h>

#include <bento/context.hpp>
#include <bento/detail/coroutine.hpp>
#include <bento/detail/limited_wait.hpp>
#include <bento/detail/pack.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento {

// Of the handler that has made it, which it does not outlive; moved, not copied. Destroying it
// cancels the call: the method is told, and its worker is free for others. What throws is what
// Method::run() throws, at the first result; later, what the method has ended with, 504 when the
// request's deadline is past, and CANCELLED when its client has left. A result that is a view
// (std::string_view, TensorView) is valid until the next one; others are copies.
//
// Results come as fast as they are asked for: a method that is faster waits.
template <typename Out>
class [[nodiscard]] ResultStream {
 public:
  // For the SDK.
  ResultStream(const Context& ctx, bento_ticket* ticket, std::string_view runner,
               std::string_view method)
      : call_(ctx, ticket, runner, method) {}

  // co_await tokens.next(): the next result, or none when that was all.
  class Next : public detail::TicketWait {
   public:
    explicit Next(ResultStream& results) : TicketWait(results.call_.ticket), call_(results.call_) {}
    std::optional<Out> await_resume() { return ResultStream::read(take()); }

    // The same with a limit of its own, counted from the co_await: then Error, DEADLINE_EXCEEDED
    // (504), and the call is cancelled; the request goes on.
    [[nodiscard]] auto within(std::chrono::nanoseconds limit) const { return Within(call_, limit); }

   private:
    detail::RunnerCall& call_;
  };
  class Within : public detail::LimitedCall {
   public:
    Within(detail::RunnerCall& call, std::chrono::nanoseconds limit) : LimitedCall(call, limit) {}
    std::optional<Out> await_resume() { return ResultStream::read(take()); }
  };
  [[nodiscard]] Next next() & { return Next(*this); }
  Next next() && = delete;  // give the stream a name: a temporary is cancelled at once

  // [waits] The same on a thread. In a coroutine it throws Error, 500.
  std::optional<Out> get() {
    const bento_value* const* values = nullptr;
    std::size_t n = 0;
    bento_error error = detail::make_error();
    if (call_.ticket == nullptr) {
      detail::misuse(BENTO_FAILED_PRECONDITION, "the call was cancelled");
    }
    const bento_code code = call_.ctx->host()->next(call_.ticket.get(), &values, &n, &error);
    if (code == BENTO_PENDING) {
      detail::misuse(BENTO_FAILED_PRECONDITION,
                     "in a coroutine a stream is read with co_await next()");
    }
    detail::check(code, error);
    return read({values, n});
  }

  // [waits] for (const Out& result : results): an input range, once.
  class Iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = Out;
    using difference_type = std::ptrdiff_t;
    using pointer = Out*;
    using reference = Out&;

    explicit Iterator(ResultStream& results) : results_(&results), result_(results.get()) {}
    Out& operator*() { return *result_; }
    Out* operator->() { return std::addressof(*result_); }
    Iterator& operator++() {
      result_ = results_->get();
      return *this;
    }
    void operator++(int) { ++*this; }
    bool operator==(std::default_sentinel_t) const { return !result_; }

   private:
    ResultStream* results_;
    std::optional<Out> result_;
  };
  Iterator begin() { return Iterator(*this); }
  std::default_sentinel_t end() const { return {}; }

 private:
  static std::optional<Out> read(std::span<const bento_value* const> values) {
    if (values.empty()) return std::nullopt;
    if (values.size() < detail::Pack<Out>::kCount) {
      throw Error(BENTO_INTERNAL, "the runner returned too few values");
    }
    return detail::Pack<Out>::get(values.data());
  }

  detail::RunnerCall call_;
};

}  // namespace bento
#endif
