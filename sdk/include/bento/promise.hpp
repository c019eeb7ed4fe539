// Promise: a result that comes from elsewhere, a library's callback or a thread of the plugin's,
// and that a coroutine awaits. Part of <bento/bento.hpp>.
//
//   bento::Promise<Answer> promise(ctx);
//   library.ask(question, [resolver = promise.resolver()](Answer a) { resolver.resolve(a); });
//   Answer answer = co_await promise;
//
// The Promise is its coroutine's, and is destroyed before that has ended. Resolvers are copied and
// moved, and used on any thread, for as long as one likes; threads that hold one end in
// Service::on_shutdown.
#pragma once

#include <bento/abi.h>

#include <atomic>
#include <bento/context.hpp>
#include <bento/detail/ticket.hpp>
#include <bento/error.hpp>
#include <exception>
#include <memory>
#include <optional>
#include <type_traits>
#include <utility>
#include <variant>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento {
namespace detail {

// Between a promise and its resolvers. The host hands it from thread to thread.
template <typename T>
struct Resolution {
  using Value = std::conditional_t<std::is_void_v<T>, std::monostate, T>;
  std::optional<Value> value;
  std::exception_ptr failure;  // if there is neither: nobody has resolved it
};

// What the resolvers of a promise share. When the last one is gone, the promise is broken.
template <typename T>
class Resolvers {
 public:
  Resolvers(const bento_host* host, void* resolver, std::shared_ptr<Resolution<T>> resolution)
      : host_(host), resolver_(resolver), resolution_(std::move(resolution)) {}
  Resolvers(const Resolvers&) = delete;
  Resolvers& operator=(const Resolvers&) = delete;
  ~Resolvers() {
    if (!is_resolved_) end();
  }
  template <typename Fill>
  bool resolve(Fill&& fill) {
    if (is_resolved_.exchange(true)) return false;
    fill(*resolution_);
    end();
    return true;
  }

 private:
  void end() const { host_->resolve(resolver_, BENTO_OK, nullptr, nullptr); }

  const bento_host* host_;
  void* resolver_;
  std::shared_ptr<Resolution<T>> resolution_;
  std::atomic<bool> is_resolved_ = false;
};

}  // namespace detail

// Ends a promise, once: the functions return false if it has been ended already. Any thread.
template <typename T>
class Resolver {
 public:
  explicit Resolver(std::shared_ptr<detail::Resolvers<T>> shared) : shared_(std::move(shared)) {}

  // With a result; without an argument for a Promise<void>.
  template <typename... Value>
  bool resolve(Value&&... value) const {
    return shared_->resolve([&](detail::Resolution<T>& resolution) {
      resolution.value.emplace(std::forward<Value>(value)...);
    });
  }
  // The co_await throws this: std::current_exception(), or std::make_exception_ptr(Error(...)).
  bool fail(std::exception_ptr failure) const {
    return shared_->resolve(
        [&](detail::Resolution<T>& resolution) { resolution.failure = std::move(failure); });
  }
  bool fail(const Error& error) const { return fail(std::make_exception_ptr(error)); }

 private:
  std::shared_ptr<detail::Resolvers<T>> shared_;
};

// Made and awaited, once, by one coroutine. The co_await returns the result, or throws what the
// promise was failed with; Error, 500, when all resolvers are gone and none was used; and as
// <bento/async.hpp> says when the request is cancelled.
template <typename T = void>
class Promise {
 public:
  explicit Promise(const Context& ctx) : resolution_(std::make_shared<detail::Resolution<T>>()) {
    bento_ticket* ticket = nullptr;
    void* resolver = nullptr;
    bento_error error = detail::make_error();
    detail::check(ctx.host()->promise(ctx.abi(), &ticket, &resolver, &error), error);
    ticket_ = detail::Ticket(ticket, {ctx.host()});
    resolvers_ = std::make_shared<detail::Resolvers<T>>(ctx.host(), resolver, resolution_);
  }
  Promise(const Promise&) = delete;
  Promise& operator=(const Promise&) = delete;

  // Not after the co_await.
  Resolver<T> resolver() const {
    if (!resolvers_) detail::misuse(BENTO_FAILED_PRECONDITION, "the promise was awaited already");
    return Resolver<T>(resolvers_);
  }

  class Awaiter : public detail::TicketWait {
   public:
    explicit Awaiter(Promise& promise)
        : TicketWait(promise.ticket_), resolution_(*promise.resolution_) {
      promise.resolvers_.reset();
    }
    T await_resume() {
      (void)take();
      if (resolution_.failure) std::rethrow_exception(resolution_.failure);
      if (!resolution_.value) throw Error(BENTO_INTERNAL, "a promise that nobody has kept");
      if constexpr (!std::is_void_v<T>) return std::move(*resolution_.value);
    }

   private:
    detail::Resolution<T>& resolution_;
  };
  Awaiter operator co_await() { return Awaiter(*this); }

 private:
  std::shared_ptr<detail::Resolution<T>> resolution_;
  detail::Ticket ticket_;
  std::shared_ptr<detail::Resolvers<T>> resolvers_;
};

}  // namespace bento
#endif
