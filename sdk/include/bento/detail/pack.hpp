// Pack: how the input or output of a function becomes the values of the ABI: one of them, or, for
// a struct that BENTO_VALUES describes, several. Part of <bento/bento.hpp>; see <bento/values.hpp>.
#pragma once

#include <bento/abi.h>

#include <array>
#include <bento/detail/described.hpp>
#include <bento/detail/field_macros.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace bento::detail {

template <typename T>
struct Pack {
  static constexpr std::size_t kCount = 1;

  static std::vector<Io> ios() { return {IoTraits<T>::io()}; }
  // May refer into the values.
  static T get(const bento_value* const* values) { return IoTraits<T>::get(*values[0]); }
  // f(values, n) with values that refer to `value`.
  template <typename F>
  static decltype(auto) lend(const T& value, F&& f) {
    const auto held = IoTraits<T>::put(value);  // a bento_value, or what owns one
    const bento_value& single = held;
    const bento_value* const values[] = {&single};
    return f(values, std::size_t{1});
  }
};

#if BENTO_ABI_TARGET_MINOR >= 1

struct ShapeRule {
  static constexpr std::size_t kMostAxes = 8;
  std::size_t n = 0;
  std::array<std::int64_t, kMostAxes> extents{};
};

// A member of a struct with BENTO_VALUES.
template <typename T, typename M>
struct NamedValue {
  std::string_view name;
  M T::*member;
  ShapeRule shape = {};

  constexpr void add(NameRule rule) { name = rule.name; }
  constexpr void add(ShapeRule rule) { shape = rule; }
  constexpr void add(NoRule) {}
};
template <typename T, typename C, typename M, typename... R>
constexpr NamedValue<T, M> describe_value(std::string_view name, M C::*member, R... rules) {
  NamedValue<T, M> value{name, member};
  (value.add(rules), ...);
  return value;
}
template <typename T, typename... M>
struct ValuesDescription {
  using Type = T;
  std::tuple<NamedValue<T, M>...> values;
};
template <typename T, typename... M>
constexpr ValuesDescription<T, M...> describe_values(NamedValue<T, M>... values) {
  return {{values...}};
}

#define BENTO_DETAIL_VALUE(type, item) BENTO_DETAIL_VALUE_BY(BENTO_DETAIL_IS_LIST(item), type, item)
#define BENTO_DETAIL_VALUE_BY(...) BENTO_DETAIL_VALUE_AS(__VA_ARGS__)
#define BENTO_DETAIL_VALUE_AS(is_list, type, item) BENTO_DETAIL_VALUE_##is_list(type, item)
#define BENTO_DETAIL_VALUE_0(type, member) \
  BENTO_DETAIL_NAME_VALUE(type, member, ::bento::detail::NoRule{})
#define BENTO_DETAIL_VALUE_1(type, list) \
  BENTO_DETAIL_NAME_VALUE_LIST(type, BENTO_DETAIL_UNWRAP list, ::bento::detail::NoRule{})
#define BENTO_DETAIL_NAME_VALUE_LIST(...) BENTO_DETAIL_NAME_VALUE(__VA_ARGS__)
#define BENTO_DETAIL_NAME_VALUE(type, member, ...) \
  ::bento::detail::describe_value<type>(#member, &type::member, __VA_ARGS__)

template <typename T>
concept SeveralValues = std::is_class_v<T> && requires {
  requires std::is_same_v<typename decltype(bento_values(static_cast<const T*>(nullptr)))::Type, T>;
};

template <SeveralValues T>
struct Pack<T> {
  static constexpr auto kValues = bento_values(static_cast<const T*>(nullptr)).values;
  static constexpr std::size_t kCount = std::tuple_size_v<decltype(kValues)>;

  static std::vector<Io> ios() {
    std::vector<Io> all;
    std::apply([&](const auto&... value) { (all.push_back(io_of(value)), ...); }, kValues);
    return all;
  }
  static T get(const bento_value* const* values) {
    T all{};
    std::size_t i = 0;
    std::apply([&](const auto&... value) { (get_one(all, value, *values[i++]), ...); }, kValues);
    return all;
  }
  template <typename F>
  static decltype(auto) lend(const T& value, F&& f) {
    std::array<bento_value, kCount> values{};
    return lend_from<0>(value, values, f);
  }

 private:
  template <typename M>
  using Plain = typename Required<M>::Type;

  template <typename M>
  static Io io_of(const NamedValue<T, M>& value) {
    Io io = IoTraits<Plain<M>>::io();
    io.set_name(std::string(value.name), kIsOptional<M>);
    if (value.shape.n == 0) return io;
    if (io.abi().kind != BENTO_TENSOR) {
      throw Error(BENTO_FAILED_PRECONDITION,
                  "value " + std::string(value.name) + " has a shape, but is no tensor");
    }
    const auto begin = value.shape.extents.begin();
    io.set_shape({begin, begin + static_cast<std::ptrdiff_t>(value.shape.n)});
    return io;
  }
  template <typename M>
  static void get_one(T& all, const NamedValue<T, M>& value, const bento_value& from) {
    if constexpr (kIsOptional<M>) {
      if (from.kind == 0) return;
    }
    all.*value.member = IoTraits<Plain<M>>::get(from);
  }
  // What each member owns for its value lives until `f` returns.
  template <std::size_t I, typename F>
  static decltype(auto) lend_from(const T& value, std::array<bento_value, kCount>& values, F& f) {
    if constexpr (I == kCount) {
      std::array<const bento_value*, kCount> pointers;
      for (std::size_t i = 0; i < kCount; ++i) pointers[i] = &values[i];
      return f(static_cast<const bento_value* const*>(pointers.data()), kCount);
    } else {
      constexpr const auto& described = std::get<I>(kValues);
      const auto& member = value.*described.member;
      using M = std::remove_cvref_t<decltype(member)>;
      const auto pass_on = [&](const bento_value& single) -> decltype(auto) {
        values[I] = single;
        values[I].name = str(described.name);
        return lend_from<I + 1>(value, values, f);
      };
      if constexpr (kIsOptional<M>) {
        if (!member) return pass_on(make_value(0, {}));
        const auto held = IoTraits<Plain<M>>::put(*member);
        return pass_on(held);
      } else {
        const auto held = IoTraits<M>::put(member);
        return pass_on(held);
      }
    }
  }
};

template <typename T>
inline constexpr bool kIsSeveral = SeveralValues<T>;

#else

template <typename T>
inline constexpr bool kIsSeveral = false;

#endif

template <typename T>
void put_pack(bento_sink* sink, const T& result) {
  Pack<T>::lend(result, [&](const bento_value* const* values, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) {
      bento_error error = make_error();
      check(sink->value(sink, values[i], &error), error);
    }
  });
}

// The descriptors of an API or a method in one direction: those that its function's type implies,
// or the one that was given in place of the only one. They stay where they are: the ABI refers to
// them.
class IoList {
 public:
  IoList() = default;
  IoList(const IoList&) = delete;
  IoList& operator=(const IoList&) = delete;

  template <typename T>
  void describe(const std::optional<Io>& given, const std::string& what) {
    ios_ = Pack<T>::ios();
    is_named_ = kIsSeveral<T>;
    if (!is_named_) {
      ios_[0] = fitting(given, ios_[0], what);
    } else if (given) {
      throw Error(BENTO_FAILED_PRECONDITION,
                  what + " has several values, which BENTO_VALUES describes, not one descriptor");
    }
    list();
  }
  void describe_as(const Io& io) {
    ios_ = {io};
    is_named_ = false;
    list();
  }

  bool empty() const { return ios_.empty(); }
  bool is_named() const { return is_named_; }
  std::size_t size() const { return ios_.size(); }
  const Io& front() const { return ios_.front(); }
  const bento_io* single() const { return is_named_ || ios_.empty() ? nullptr : &abi_[0]; }
  const bento_io* const* named() const { return is_named_ ? pointers_.data() : nullptr; }
  std::size_t named_size() const { return is_named_ ? pointers_.size() : 0; }

 private:
  void list() {
    abi_.clear();
    pointers_.clear();
    for (const Io& io : ios_) abi_.push_back(io.abi());
    for (const bento_io& io : abi_) pointers_.push_back(&io);
  }

  std::vector<Io> ios_;
  std::vector<bento_io> abi_;
  std::vector<const bento_io*> pointers_;
  bool is_named_ = false;
};

}  // namespace bento::detail
