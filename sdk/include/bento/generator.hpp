// Generator: a coroutine that yields one value after the other, and may await others in between. As
// a handler, what it yields is its answer, piece by piece. Part of <bento/bento.hpp>.
//
//   svc.api("chat", [=](bento::Context& ctx, Question question) -> bento::Generator<bento::Event> {
//     for (std::string_view word : words_of(question)) {
//       co_yield {.data = co_await next_word.async_run(ctx, word)};
//     }
//   });
//
//   T                            its answer
//   Event                        server-sent events: text/event-stream
//   Json, a BENTO_FIELDS struct  JSON lines: application/x-ndjson
//   std::string                  text/plain, in UTF-8
//   Bytes                        application/octet-stream, or the type of the first one
//
// It goes on when the client has taken what there is but for a few pieces. When the client leaves,
// it is destroyed where it has yielded: its destructors run, and no code after the co_yield. What
// it throws before the first value is answered as an error; later it cuts the answer off.
#pragma once

#include <bento/abi.h>

#include <bento/detail/coroutine.hpp>
#include <coroutine>
#include <memory>
#include <type_traits>
#include <utility>

namespace bento {

#if BENTO_ABI_TARGET_MINOR >= 1

// It begins with the first next(), and is moved, not copied.
template <typename T>
class [[nodiscard]] Generator {
 public:
  struct promise_type : detail::ChildPromise {
    Generator get_return_object() noexcept {
      return Generator(std::coroutine_handle<promise_type>::from_promise(*this));
    }
    // Valid until it goes on: what is yielded lives as long as its co_yield.
    Rest yield_value(T&& yielded) noexcept {
      static_assert(!detail::kMustHaveName<T>,
                    "g++ spoils such a temporary in a co_yield; give it a name: "
                    "T value{...}; co_yield value;");
      value = std::addressof(yielded);
      return {};
    }
    Rest yield_value(const T& yielded) noexcept {
      value = std::addressof(yielded);
      return {};
    }
    void return_void() const noexcept {}
    const T* value = nullptr;
  };

  explicit Generator(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
  Generator(Generator&& other) noexcept : coroutine_(std::exchange(other.coroutine_, nullptr)) {}
  Generator& operator=(Generator&&) = delete;
  ~Generator() {
    if (coroutine_) coroutine_.destroy();
  }

  class Next {
   public:
    explicit Next(std::coroutine_handle<promise_type> coroutine) : coroutine_(coroutine) {}
    Next(const Next&) = delete;
    Next& operator=(const Next&) = delete;
    bool await_ready() const noexcept { return coroutine_.done(); }
    template <typename P>
    bool await_suspend(std::coroutine_handle<P> whom) const {
      coroutine_.promise().value = nullptr;
      return coroutine_.promise().run(coroutine_, whom);
    }
    const T* await_resume() const {
      coroutine_.promise().rethrow();
      return coroutine_.done() ? nullptr : coroutine_.promise().value;
    }

   private:
    std::coroutine_handle<promise_type> coroutine_;
  };
  // while (const T* value = co_await generator.next()) ...: null at the end, and from then on.
  // Valid until the next one. Throws what the coroutine has thrown, once.
  [[nodiscard]] Next next() { return Next(coroutine_); }

 private:
  std::coroutine_handle<promise_type> coroutine_;
};

#else

template <typename T>
class [[nodiscard]] Generator {
  static_assert(!std::is_same_v<T, T>,
                "bento::Generator: coroutines need BENTO_ABI_TARGET_MINOR 1, and a host of ABI "
                "1.1");
};

#endif

namespace detail {

template <typename T>
struct GeneratorTraits {
  static constexpr bool kIs = false;
};
template <typename T>
struct GeneratorTraits<Generator<T>> {
  static constexpr bool kIs = true;
  using Value = T;
};

}  // namespace detail
}  // namespace bento
