// The machinery of BENTO_FIELDS and BENTO_ENUM. Part of <bento/bento.hpp>; see <bento/fields.hpp>.
#pragma once

#include <bento/detail/described.hpp>

#define BENTO_DETAIL_STRUCT(type, is_strict, ...)                             \
  [[maybe_unused]] constexpr auto bento_fields(const type*) {                 \
    return ::bento::detail::describe_struct<type>(                            \
        is_strict, BENTO_DETAIL_LIST(BENTO_DETAIL_FIELD, type, __VA_ARGS__)); \
  }
#define BENTO_DETAIL_ENUMERATOR(type, name) \
  ::bento::detail::Enumerator<type> { #name, type::name }

// A field is `member` or `(member, rule, ...)`: IS_LIST tells which, from what PROBE expands to.
#define BENTO_DETAIL_FIELD(type, item) BENTO_DETAIL_FIELD_BY(BENTO_DETAIL_IS_LIST(item), type, item)
#define BENTO_DETAIL_FIELD_BY(...) BENTO_DETAIL_FIELD_AS(__VA_ARGS__)
#define BENTO_DETAIL_FIELD_AS(is_list, type, item) BENTO_DETAIL_FIELD_##is_list(type, item)
#define BENTO_DETAIL_FIELD_0(type, member) \
  BENTO_DETAIL_DESCRIBE(type, member, ::bento::detail::NoRule{})
#define BENTO_DETAIL_FIELD_1(type, list) \
  BENTO_DETAIL_DESCRIBE_LIST(type, BENTO_DETAIL_UNWRAP list, ::bento::detail::NoRule{})
#define BENTO_DETAIL_UNWRAP(...) __VA_ARGS__
#define BENTO_DETAIL_DESCRIBE_LIST(...) BENTO_DETAIL_DESCRIBE(__VA_ARGS__)
#define BENTO_DETAIL_DESCRIBE(type, member, ...) \
  ::bento::detail::describe_field<type>(#member, &type::member, __VA_ARGS__)
#define BENTO_DETAIL_IS_LIST(item) BENTO_DETAIL_SECOND_OF(BENTO_DETAIL_PROBE item, 0, )
#define BENTO_DETAIL_PROBE(...) ~, 1
#define BENTO_DETAIL_SECOND_OF(...) BENTO_DETAIL_SECOND(__VA_ARGS__)
#define BENTO_DETAIL_SECOND(first, second, ...) second

// macro(type, item) for each item, separated by commas. A macro does not expand within itself, so
// each step leaves NEXT for the next of EXPAND's scans. An empty item follows the last one, because
// clang requires an argument for a macro's `...`.
#define BENTO_DETAIL_LIST(macro, type, ...) \
  BENTO_DETAIL_EXPAND(BENTO_DETAIL_STEP(macro, type, __VA_ARGS__, ))
#define BENTO_DETAIL_STEP(macro, type, item, ...) \
  macro(type, item)                               \
      __VA_OPT__(, BENTO_DETAIL_NEXT BENTO_DETAIL_NO_ARGUMENTS(macro, type, __VA_ARGS__))
#define BENTO_DETAIL_NEXT() BENTO_DETAIL_STEP
#define BENTO_DETAIL_NO_ARGUMENTS ()
#define BENTO_DETAIL_EXPAND(...) \
  BENTO_DETAIL_EXPAND_16(        \
      BENTO_DETAIL_EXPAND_16(BENTO_DETAIL_EXPAND_16(BENTO_DETAIL_EXPAND_16(__VA_ARGS__))))
#define BENTO_DETAIL_EXPAND_16(...) \
  BENTO_DETAIL_EXPAND_4(            \
      BENTO_DETAIL_EXPAND_4(BENTO_DETAIL_EXPAND_4(BENTO_DETAIL_EXPAND_4(__VA_ARGS__))))
#define BENTO_DETAIL_EXPAND_4(...) \
  BENTO_DETAIL_EXPAND_1(           \
      BENTO_DETAIL_EXPAND_1(BENTO_DETAIL_EXPAND_1(BENTO_DETAIL_EXPAND_1(__VA_ARGS__))))
#define BENTO_DETAIL_EXPAND_1(...) __VA_ARGS__
