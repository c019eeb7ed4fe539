// The function of the ABI for a runner's method that returns one result for each call. Part of
// <bento/bento.hpp>; see <bento/runner.hpp>.
#pragma once

#include <bento/abi.h>

#include <bento/batch.hpp>
#include <bento/context.hpp>
#include <bento/detail/method_record.hpp>
#include <bento/detail/pack.hpp>
#include <bento/error.hpp>
#include <bento/work.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento::detail {

template <typename Tuple>
struct WithoutFirst;
template <typename First, typename... Rest>
struct WithoutFirst<std::tuple<First, Rest...>> {
  using Type = std::tuple<Rest...>;
};

// Submits a call of a runner's method.
template <typename In>
bento_ticket* submit_call(Context& ctx, const RunnerRecord& runner, const MethodRecord& method,
                          const In& input) {
  bento_ticket* ticket = nullptr;
  bento_error error = make_error();
  const bento_code code =
      Pack<In>::lend(input, [&](const bento_value* const* values, std::size_t n) {
        return ctx.host()->submit(ctx.abi(), str(runner.name), str(method.name), values, n, &ticket,
                                  &error);
      });
  check(code, error);
  return ticket;
}

// What a method takes as its input, decayed: one value, or a list of them.
template <typename T>
struct ListOf {
  static constexpr bool kIs = false;
  using In = T;
};
#if BENTO_ABI_TARGET_MINOR >= 1
template <typename T>
struct ListOf<std::span<const T>> {
  static constexpr bool kIs = true;
  using In = T;
};
template <typename T>
struct ListOf<Batch<T>> {
  static constexpr bool kIs = true;
  using In = T;
};
#endif

// One for each input of a list.
template <typename T>
struct ResultOf {
  static constexpr bool kIs = false;
  using type = T;
};
template <typename T>
struct ResultOf<std::vector<T>> {
  static constexpr bool kIs = true;
  using type = T;
};

// `Arguments`: the types of the function's parameters after the Model&.
template <typename Model, typename F, typename Arguments>
class Run {
  static constexpr std::size_t kArguments = std::tuple_size_v<Arguments>;
  using Last = std::decay_t<std::tuple_element_t<kArguments - 1, Arguments>>;
#if BENTO_ABI_TARGET_MINOR >= 1
  static constexpr bool kTakesContext =
      kArguments == 2 && std::is_same_v<std::tuple_element_t<0, Arguments>, BatchContext&>;
#else
  static constexpr bool kTakesContext = false;
#endif
  static_assert(kArguments == 1 || kTakesContext,
                "a runner's method is Out(In) or Out(bento::BatchContext&, In), with a Model& "
                "before these if it is a lambda");

#if BENTO_ABI_TARGET_MINOR >= 1
  template <typename Value>
  static decltype(auto) call(Model& model, BatchContext& batch, Value&& value) {
    if constexpr (kTakesContext) {
      return F{}(model, batch, std::forward<Value>(value));
    } else {
      return F{}(model, std::forward<Value>(value));
    }
  }
  using Returned = std::decay_t<decltype(call(std::declval<Model&>(), std::declval<BatchContext&>(),
                                              std::declval<Last>()))>;
#else
  using Returned =
      std::decay_t<decltype(std::declval<F>()(std::declval<Model&>(), std::declval<Last>()))>;
#endif

 public:
  static constexpr bool kIsList = ListOf<Last>::kIs;
  using In = typename ListOf<Last>::In;
  static_assert(!kIsList || ResultOf<Returned>::kIs,
                "a method that takes a list returns a std::vector<Out>, an element for each input");
  using Out =
      typename std::conditional_t<kIsList, ResultOf<Returned>, std::type_identity<Returned>>::type;

  static bento_code run(void* self, const bento_method*, bento_ctx* ctx,
                        const bento_value* const* in, std::size_t n, const std::uint32_t* rows,
                        std::size_t callers, bento_sink* sink, bento_error* error) {
    return guard(error, [&] {
      auto& instance = *static_cast<Instance<Model>*>(self);
      const std::size_t wanted = Pack<In>::kCount * (kIsList ? callers : 1);
      if (n != wanted) {
        misuse(BENTO_INVALID_ARGUMENT,
               "the method takes " + std::to_string(wanted) + (wanted == 1 ? " input" : " inputs"));
      }
#if BENTO_ABI_TARGET_MINOR >= 1
      BatchContext batch(instance.context.host(), ctx, {rows, callers}, sink);
      if constexpr (kIsList) {
        run_list(instance.model, batch, in, callers, sink);
      } else {
        put_pack(sink, call(instance.model, batch, Pack<In>::get(in)));
      }
#else
      (void)ctx;
      (void)rows;
      put_pack(sink, F{}(instance.model, Pack<In>::get(in)));
#endif
    });
  }

 private:
#if BENTO_ABI_TARGET_MINOR >= 1
  static void run_list(Model& model, BatchContext& context, const bento_value* const* in,
                       std::size_t callers, bento_sink* sink) {
    std::vector<In> inputs;
    std::vector<std::size_t> whose;
    std::vector<bool> failed(callers);
    inputs.reserve(callers);
    whose.reserve(callers);
    for (std::size_t i = 0; i < callers; ++i) {
      try {
        inputs.push_back(Pack<In>::get(in + i * Pack<In>::kCount));
        whose.push_back(i);
      } catch (const Error& error) {
        context.fail(i, error);
        failed[i] = true;
      }
    }
    std::vector<Out> results;
    if (!inputs.empty()) {
      const std::span<const In> list(inputs);
      if constexpr (std::is_same_v<Last, Batch<In>>) {
        results = call(model, context, Batch<In>(context, list, whose, failed));
      } else {
        results = call(model, context, list);
      }
    }
    if (results.size() != inputs.size()) {
      throw Error(BENTO_INTERNAL, "the method returned " + std::to_string(results.size()) +
                                      " results for " + std::to_string(inputs.size()));
    }
    for (std::size_t i = 0; i < whose.size(); ++i) {  // those who have failed have no values
      if (!failed[whose[i]]) put_pack(sink, results[i]);
    }
  }
#endif
};

#if BENTO_ABI_TARGET_MINOR >= 1
template <typename T>
struct EmitOf {
  static constexpr bool kIs = false;
  using Out = std::string;
};
template <typename T>
struct EmitOf<Emit<T>&> {
  static constexpr bool kIs = true;
  using Out = T;
};

// `Arguments`: the types of a streaming function's parameters after the Model&.
template <typename Arguments>
struct StreamForm;
template <typename... Others>
struct StreamForm<std::tuple<Others...>> {
  static_assert(sizeof...(Others) == 2, "a streaming method is void(In, bento::Emit<Out>&)");
};
template <typename I, typename E>
struct StreamForm<std::tuple<I, E>> {
  static_assert(EmitOf<E>::kIs, "a streaming method is void(In, bento::Emit<Out>&)");
  using In = std::decay_t<I>;
  using Out = typename EmitOf<E>::Out;
};
#endif

}  // namespace bento::detail
