// The parameter and result types of a function, method or lambda. Part of <bento/bento.hpp>.
#pragma once

#include <tuple>
#include <type_traits>

namespace bento::detail {

template <typename R, typename... Args>
struct Arguments {
  static_assert(sizeof...(Args) > 0, "the function takes no input");
  using Result = std::decay_t<R>;
  using Tuple = std::tuple<Args...>;
  static constexpr std::size_t kCount = sizeof...(Args);
  using First = std::tuple_element_t<0, Tuple>;
  using LastAsked = std::tuple_element_t<sizeof...(Args) - 1, Tuple>;
  using Last = std::decay_t<std::tuple_element_t<sizeof...(Args) - 1, Tuple>>;
};

template <typename F>
struct Signature : Signature<decltype(&F::operator())> {};
template <typename R, typename... A>
struct Signature<R (*)(A...)> : Arguments<R, A...> {};
template <typename C, typename R, typename... A>
struct Signature<R (C::*)(A...)> : Arguments<R, A...> {};
template <typename C, typename R, typename... A>
struct Signature<R (C::*)(A...) const> : Arguments<R, A...> {};
template <typename C, typename R, typename... A>
struct Signature<R (C::*)(A...) noexcept> : Arguments<R, A...> {};
template <typename C, typename R, typename... A>
struct Signature<R (C::*)(A...) const noexcept> : Arguments<R, A...> {};

}  // namespace bento::detail
