// The descriptions that BENTO_FIELDS and BENTO_ENUM make: the members of a struct with the rules of
// each, and the names of an enum's values. They are constants: a rule that cannot hold, such as
// min(300) for a byte, does not compile. Part of <bento/bento.hpp>; see <bento/fields.hpp>.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento::detail {

template <typename N>
struct LeastRule {
  N bound;
  bool is_excluded;
};
template <typename N>
struct MostRule {
  N bound;
  bool is_excluded;
};
struct MinSizeRule {
  std::uint32_t size;
};
struct MaxSizeRule {
  std::uint32_t size;
};
struct HasDefaultRule {};
struct NameRule {
  std::string_view name;
};
struct DocRule {
  std::string_view text;
};
struct NoRule {};

template <typename T>
inline constexpr bool kIsOptional = false;
template <typename T>
inline constexpr bool kIsOptional<std::optional<T>> = true;
template <typename T>
inline constexpr bool kIsVector = false;
template <typename T, typename A>
inline constexpr bool kIsVector<std::vector<T, A>> = true;

// T for std::optional<T>; any other type itself.
template <typename T>
struct Required {
  using Type = T;
};
template <typename T>
struct Required<std::optional<T>> {
  using Type = T;
};

template <typename T, typename... Others>
concept OneOf = (std::is_same_v<T, Others> || ...);
template <typename T>
concept Integer =
    std::is_integral_v<T> && !OneOf<T, bool, char, wchar_t, char8_t, char16_t, char32_t>;
template <typename T>
concept Number = Integer<T> || OneOf<T, float, double>;

// The rules for a value beyond its type. The bounds of a number start as those of its type, so the
// bounds of integers are exact.
template <typename T>
struct Rules {
  using Bound = std::conditional_t<Integer<T>, T, double>;
  using Limits = std::numeric_limits<std::conditional_t<Number<T>, T, double>>;

  std::string_view doc = {};
  bool has_default = false;
  Bound least = Limits::lowest(), most = Limits::max();
  bool excludes_least = false, excludes_most = false;
  std::uint32_t min_size = 0, max_size = std::numeric_limits<std::uint32_t>::max();

  template <typename N>
  constexpr void add(LeastRule<N> rule) {
    least = to_bound(rule.bound);
    excludes_least = rule.is_excluded;
  }
  template <typename N>
  constexpr void add(MostRule<N> rule) {
    most = to_bound(rule.bound);
    excludes_most = rule.is_excluded;
  }
  constexpr void add(MinSizeRule rule) {
    static_assert(kHasSize, "min_size() is for a std::string or a std::vector");
    min_size = rule.size;
  }
  constexpr void add(MaxSizeRule rule) {
    static_assert(kHasSize, "max_size() is for a std::string or a std::vector");
    max_size = rule.size;
  }
  constexpr void add(HasDefaultRule) { has_default = true; }
  constexpr void add(DocRule rule) { doc = rule.text; }
  constexpr void add(NoRule) {}

 private:
  static constexpr bool kHasSize = std::is_same_v<T, std::string> || kIsVector<T>;

  template <typename N>
  static constexpr Bound to_bound(N bound) {
    static_assert(Number<T>, "min(), max(), above() and below() are for numbers");
    if constexpr (Integer<T>) {
      static_assert(Integer<N>, "the bound of an integer is an integer");
      if (!std::in_range<T>(bound)) throw std::out_of_range("a bound beyond the member's type");
    } else if (!(bound >= Limits::lowest() && bound <= Limits::max())) {
      throw std::out_of_range("a bound beyond the member's type");
    }
    return static_cast<Bound>(bound);
  }
};

template <typename T>
using RulesOf = Rules<typename Required<T>::Type>;

template <typename T, typename M>
struct Field {
  std::string_view name;
  M T::*member;
  RulesOf<M> rules = {};

  constexpr bool is_required() const { return !kIsOptional<M> && !rules.has_default; }
  constexpr void add(NameRule rule) { name = rule.name; }
  template <typename R>
  constexpr void add(R rule) {
    rules.add(rule);
  }
};

// C is T, or the base class of T that declares the member.
template <typename T, typename C, typename M, typename... R>
constexpr Field<T, M> describe_field(std::string_view name, M C::*member, R... rules) {
  Field<T, M> field{name, member};
  (field.add(rules), ...);
  return field;
}

template <typename T, typename... M>
struct StructDescription {
  using Type = T;
  bool is_strict;
  std::tuple<Field<T, M>...> fields;
};

template <typename T, typename... M>
constexpr StructDescription<T, M...> describe_struct(bool is_strict, Field<T, M>... fields) {
  return {is_strict, {fields...}};
}

template <typename E>
struct Enumerator {
  std::string_view name;
  E value;
};

template <typename E, typename... V>
constexpr std::array<Enumerator<E>, sizeof...(V)> describe_enum(V... values) {
  return {values...};
}

// The macros' functions are found by argument-dependent lookup. (A function that is found for a
// base class does not describe the classes derived from it.)
template <typename T>
concept Described = std::is_class_v<T> && requires {
  requires std::is_same_v<typename decltype(bento_fields(static_cast<const T*>(nullptr)))::Type, T>;
};
template <typename T>
concept DescribedEnum = std::is_enum_v<T> && requires {
  bento_enumerators(static_cast<const T*>(nullptr));
};

template <Described T>
inline constexpr auto kDescription = bento_fields(static_cast<const T*>(nullptr));
template <DescribedEnum T>
inline constexpr auto kEnumerators = bento_enumerators(static_cast<const T*>(nullptr));

template <Described T, typename F>
void for_each_field(F&& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, kDescription<T>.fields);
}

template <DescribedEnum T>
std::optional<T> find_enumerator(std::string_view name) {
  for (const auto& enumerator : kEnumerators<T>) {
    if (enumerator.name == name) return enumerator.value;
  }
  return std::nullopt;
}

// "red", "green", "blue"
template <DescribedEnum T>
std::string list_enumerators() {
  std::string all;
  for (const auto& enumerator : kEnumerators<T>) {
    all.append(all.empty() ? "\"" : ", \"").append(enumerator.name).append("\"");
  }
  return all;
}

// Counts code points, as JSON Schema does.
inline std::size_t count_characters(std::string_view utf8) {
  std::size_t n = 0;
  for (const char c : utf8) n += (static_cast<unsigned char>(c) & 0xC0) != 0x80;
  return n;
}

}  // namespace bento::detail
