// all() and first(): several things awaited at once, by one coroutine. Runner calls are on their
// way from async_run() on, so awaiting one after the other is often enough. Part of
// <bento/bento.hpp>.
//
//   auto [caption, label] = co_await bento::all(describe(ctx, image), classify(ctx, image));
//   auto won = co_await bento::first(fast.async_run(ctx, x), bento::sleep(ctx, 20ms));
//
// What they are given is anything that can be awaited: coroutines (Async), calls, sleep(),
// on_thread(), promises. All of it has ended when they return: when one fails, or is first, the
// others are cancelled, which is to say that what they wait for throws Error, CANCELLED.
#pragma once

#include <bento/abi.h>

#include <bento/async.hpp>
#include <bento/detail/coroutine.hpp>
#include <coroutine>
#include <cstddef>
#include <exception>
#include <functional>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento {
namespace detail {

template <typename A>
decltype(auto) awaiter_of(A& awaited) {
  if constexpr (requires { awaited.operator co_await(); }) {
    return awaited.operator co_await();
  } else {
    return (awaited);
  }
}
// std::monostate stands for a result of type void.
template <typename A>
using AwaitedRaw = decltype(awaiter_of(std::declval<A&>()).await_resume());
template <typename A>
using Awaited =
    std::conditional_t<std::is_void_v<AwaitedRaw<A>>, std::monostate, std::decay_t<AwaitedRaw<A>>>;

// Coroutines that are under way for one that waits for the end of them all.
class Group : public Wait {
 public:
  enum class Until { kAll, kFirst };
  explicit Group(Until until) : until_(until) {}

  bool await_ready() const noexcept { return false; }

 protected:
  // One for each thing that is awaited: begun by start(), it owns itself.
  struct Member {
    struct promise_type : PromiseBase {
      Member get_return_object() noexcept {
        return {std::coroutine_handle<promise_type>::from_promise(*this)};
      }
      std::suspend_always initial_suspend() const noexcept { return {}; }
      std::suspend_never final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      void unhandled_exception() const noexcept { std::terminate(); }
    };
    std::coroutine_handle<promise_type> coroutine;
  };

  template <typename A, typename R>
  static Member run(Group& group, A& awaited, std::optional<R>& result, std::size_t index) {
    std::exception_ptr failure;
    try {
      if constexpr (std::is_void_v<AwaitedRaw<A>>) {
        co_await awaited;
        result.emplace();
      } else {
        result.emplace(co_await awaited);
      }
    } catch (...) {
      failure = std::current_exception();
    }
    group.on_end(index, std::move(failure));
  }
  // What is left to be begun after a failure, or after the first has ended, is not begun.
  template <typename A, typename R>
  void start(A& awaited, std::optional<R>& result, std::size_t index) {
    if (scope_.is_cancelled()) return;
    ++running_;
    const Member member = run<A>(*this, awaited, result, index);
    member.coroutine.promise().scope = &scope_;
    member.coroutine.resume();
  }
  template <typename P, typename StartAll>
  bool suspend(std::coroutine_handle<P> whom, StartAll&& start_all) {
    if (!begin(whom)) return false;
    running_ = 1;  // this function, so that nobody is resumed before it has returned
    start_all();
    if (--running_ != 0) return true;
    stay();
    return false;
  }
  void rethrow() const {
    throw_if_cancelled();
    if (failure_) std::rethrow_exception(failure_);
  }
  std::size_t first() const { return *first_; }

 private:
  void on_end(std::size_t index, std::exception_ptr failure) {
    const bool decides = !first_ && (until_ == Until::kFirst || failure != nullptr);
    if (decides) {
      first_ = index;
      failure_ = std::move(failure);
      scope_.cancel();
    }
    if (--running_ == 0) resume();
  }
  void cancel() override {
    ++running_;
    scope_.cancel();
    if (--running_ == 0) resume();
  }

  const Until until_;
  CancelScope scope_;
  std::size_t running_ = 0;
  std::optional<std::size_t> first_;  // that has ended the wait for the others
  std::exception_ptr failure_;        // of that one
};

template <typename... A>
class Several : public Group {
 public:
  Several(Until until, A&&... awaited) : Group(until), awaited_(std::forward<A>(awaited)...) {}

  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    return suspend(whom, [&] { start_each(std::index_sequence_for<A...>()); });
  }

 protected:
  std::tuple<std::optional<Awaited<A>>...> results_;

 private:
  template <std::size_t... I>
  void start_each(std::index_sequence<I...>) {
    (start<std::tuple_element_t<I, std::tuple<A...>>>(std::get<I>(awaited_), std::get<I>(results_),
                                                      I),
     ...);
  }
  std::tuple<A&&...> awaited_;  // temporaries live as long as the expression with co_await
};

template <typename... A>
class AllOf : public Several<A...> {
 public:
  explicit AllOf(A&&... awaited) : Several<A...>(Group::Until::kAll, std::forward<A>(awaited)...) {}
  std::tuple<Awaited<A>...> await_resume() {
    this->rethrow();
    return std::apply([](auto&... each) { return std::tuple<Awaited<A>...>(std::move(*each)...); },
                      this->results_);
  }
};

template <typename... A>
class FirstOf : public Several<A...> {
 public:
  explicit FirstOf(A&&... awaited)
      : Several<A...>(Group::Until::kFirst, std::forward<A>(awaited)...) {}
  std::variant<Awaited<A>...> await_resume() {
    this->rethrow();
    return take<0>();
  }

 private:
  template <std::size_t I>
  std::variant<Awaited<A>...> take() {
    if constexpr (I + 1 < sizeof...(A)) {
      if (this->first() != I) return take<I + 1>();
    }
    return std::variant<Awaited<A>...>(std::in_place_index<I>,
                                       std::move(*std::get<I>(this->results_)));
  }
};

template <typename A>
class AllOfMany : public Group {
 public:
  explicit AllOfMany(std::vector<A>& awaited)
      : Group(Until::kAll), awaited_(awaited), results_(awaited.size()) {}
  template <typename P>
  bool await_suspend(std::coroutine_handle<P> whom) {
    return suspend(whom, [&] {
      for (std::size_t i = 0; i < awaited_.size(); ++i) start<A>(awaited_[i], results_[i], i);
    });
  }
  std::vector<Awaited<A>> await_resume() {
    rethrow();
    std::vector<Awaited<A>> all;
    all.reserve(results_.size());
    for (auto& result : results_) all.push_back(std::move(*result));
    return all;
  }

 private:
  std::vector<A>& awaited_;
  std::vector<std::optional<Awaited<A>>> results_;
};

}  // namespace detail

// The results of all, as a std::tuple in their order, with a std::monostate for a void. Throws what
// the first of them to fail has thrown, when the others have ended.
template <typename... A>
[[nodiscard]] detail::AllOf<A...> all(A&&... awaited) {
  static_assert(sizeof...(A) > 0, "all() waits for something");
  return detail::AllOf<A...>(std::forward<A>(awaited)...);
}
// The same for as many as there are, of one type: std::vector<bento::Future<Out>>, say.
template <typename A>
[[nodiscard]] detail::AllOfMany<A> all(std::vector<A>& awaited) {
  return detail::AllOfMany<A>(awaited);
}
template <typename A>
[[nodiscard]] detail::AllOfMany<A> all(std::vector<A>&& awaited) {
  return detail::AllOfMany<A>(awaited);
}

// The result of the first to end, as a std::variant whose index() says which it was; or throws what
// that one has thrown. The others are cancelled, and have ended.
template <typename... A>
[[nodiscard]] detail::FirstOf<A...> first(A&&... awaited) {
  static_assert(sizeof...(A) > 0, "first() waits for something");
  return detail::FirstOf<A...>(std::forward<A>(awaited)...);
}

}  // namespace bento
#endif
