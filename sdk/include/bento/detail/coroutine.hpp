// What the coroutines of <bento/async.hpp> are made of: how they wait, how they are cancelled, and
// how one goes on in the other. One thread, the event loop of their request. Part of
// <bento/bento.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/error.hpp>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

#if BENTO_ABI_TARGET_MINOR >= 1
namespace bento::detail {

// In an expression with a co_await or co_yield, g++ (12 for one) copies a temporary that is made by
// aggregate initialization, T{...}, bit by bit into the coroutine, and destroys both. Where a T may
// be such a temporary, this refuses it.
#if defined(__GNUC__) && !defined(__clang__)
template <typename T>
inline constexpr bool kMustHaveName = std::is_aggregate_v<T> && !std::is_trivially_copyable_v<T>;
#else
template <typename T>
inline constexpr bool kMustHaveName = false;
#endif

class Wait;

// The waits of some coroutines, which bento::all() or first() cancels together. The whole request
// is cancelled by the host, which has a scope of its own: its tickets say so.
class CancelScope {
 public:
  CancelScope() = default;
  CancelScope(const CancelScope&) = delete;
  CancelScope& operator=(const CancelScope&) = delete;
  bool is_cancelled() const { return is_cancelled_; }
  // What waits goes on with an Error, CANCELLED, and so does what would wait from now on.
  void cancel();

 private:
  friend class Wait;
  Wait* first_ = nullptr;
  bool is_cancelled_ = false;
};

// The part of every promise that is handed from a coroutine to those that it awaits.
struct PromiseBase {
  CancelScope* scope = nullptr;  // null: it ends with its request
};

template <typename P>
CancelScope* scope_of(std::coroutine_handle<P> coroutine) {
  if constexpr (std::is_base_of_v<PromiseBase, P>) {
    return coroutine.promise().scope;
  } else {
    return nullptr;  // a coroutine of another library
  }
}

// One suspended coroutine and what will wake it. The base of all that does not wait by awaiting
// something else. It is linked from its address, so it is neither copied nor moved.
class Wait {
 public:
  Wait(const Wait&) = delete;
  Wait& operator=(const Wait&) = delete;

 protected:
  Wait() = default;
  virtual ~Wait() { unlink(); }

  // False: it is cancelled already, and must not suspend.
  template <typename P>
  bool begin(std::coroutine_handle<P> whom) {
    if (CancelScope* scope = scope_of(whom)) {
      if (scope->is_cancelled_) {
        is_cancelled_ = true;
        return false;
      }
      link(*scope);
    }
    whom_ = whom;
    return true;
  }
  // In place of suspending, after begin().
  void stay() {
    unlink();
    whom_ = nullptr;
  }
  void resume() {
    unlink();
    std::exchange(whom_, nullptr).resume();
  }
  // For the ABI's `wake`: `self` is the Wait.
  static void wake(void* self) { static_cast<Wait*>(self)->resume(); }
  void throw_if_cancelled() const {
    if (is_cancelled_) throw Error(BENTO_CANCELLED, "it is not waited for any more");
  }
  // Gives up what it waits for, so that nothing wakes it, and resumes; or goes on waiting, where
  // what it waits for uses the coroutine's memory.
  virtual void cancel() = 0;

  bool is_cancelled_ = false;

 private:
  friend class CancelScope;
  void link(CancelScope& scope) {
    scope_ = &scope;
    next_ = scope.first_;
    if (next_ != nullptr) next_->previous_ = this;
    scope.first_ = this;
  }
  void unlink() {
    if (scope_ == nullptr) return;
    (previous_ != nullptr ? previous_->next_ : scope_->first_) = next_;
    if (next_ != nullptr) next_->previous_ = previous_;
    scope_ = nullptr;
    next_ = previous_ = nullptr;
  }

  std::coroutine_handle<> whom_;
  CancelScope* scope_ = nullptr;
  Wait *next_ = nullptr, *previous_ = nullptr;
};

inline void CancelScope::cancel() {
  is_cancelled_ = true;
  while (first_ != nullptr) {
    Wait& wait = *first_;
    wait.unlink();
    wait.is_cancelled_ = true;
    wait.cancel();
  }
}

// A coroutine that another one awaits: the parent, which goes on when this one has ended, or has
// yielded. It is begun by resume(), not by symmetric transfer, and a parent that never suspended is
// not resumed: so a loop over results that are there at once does not recurse, whether or not the
// compiler makes tail calls.
struct ChildPromise : PromiseBase {
  // Runs `self`, whose promise this is. False: it has ended or yielded; the parent does not
  // suspend.
  template <typename P>
  bool run(std::coroutine_handle<> self, std::coroutine_handle<P> awaiting) {
    parent = awaiting;
    scope = scope_of(awaiting);
    is_at_rest = is_awaited = false;
    self.resume();
    if (is_at_rest) return false;
    is_awaited = true;
    return true;
  }
  std::coroutine_handle<> rest() noexcept {
    is_at_rest = true;
    if (!is_awaited) return std::noop_coroutine();
    return parent;
  }
  struct Rest {
    bool await_ready() const noexcept { return false; }
    template <typename P>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<P> self) const noexcept {
      return self.promise().rest();
    }
    void await_resume() const noexcept {}
  };

  std::suspend_always initial_suspend() const noexcept { return {}; }
  Rest final_suspend() const noexcept { return {}; }
  void unhandled_exception() noexcept { failure = std::current_exception(); }
  void rethrow() {
    if (failure) std::rethrow_exception(std::exchange(failure, nullptr));
  }

  std::coroutine_handle<> parent;
  std::exception_ptr failure;
  bool is_at_rest = false, is_awaited = false;
};

// The outermost of a request's coroutines. It owns itself; what it is made for has ended before it
// does, and throws nothing.
struct Detached {
  struct promise_type : PromiseBase {
    Detached get_return_object() const noexcept { return {}; }
    std::suspend_never initial_suspend() const noexcept { return {}; }
    std::suspend_never final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() const noexcept { std::terminate(); }
  };
};

// Ends an asynchronous function of the ABI, with success if there is no failure.
inline void finish(bento_done* done, const std::exception_ptr& failure) {
  if (!failure) return done->finish(done, BENTO_OK, nullptr);
  bento_error error = make_error();
  const bento_code code = guard(&error, [&] { std::rethrow_exception(failure); });
  done->finish(done, code, &error);
}

}  // namespace bento::detail
#endif
