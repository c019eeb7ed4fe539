// BENTO_VALUES: a struct whose members are several values, each passed as what it is: tensors,
// JSON, texts, bytes. As the input or the output of an API or a runner method. Part of
// <bento/bento.hpp>.
//
//   struct Encoded {
//     bento::TensorView<std::int64_t> ids, mask;
//     std::optional<std::string_view> language;
//   };
//   BENTO_VALUES(Encoded, (ids, bento::shape(-1, 128)), (mask, bento::shape(-1, 128)), language)
//
//   struct Answer {
//     bento::Tensor<float> scores;
//     bento::Json notes;
//   };
//   BENTO_VALUES(Answer, scores, notes)
//
//   Answer predict(const Encoded& input);
//
// The macro stands beside the struct, in its namespace. A member is of any type that <bento/io.hpp>
// lists, or of an input a std::optional of one: the caller may leave that out. An API takes and
// returns a JSON object with these members: {"ids": [[...]], "mask": [[...]]}. In a batchable
// method all members are tensors, and each is joined along the batch axis. The struct has to be
// default-constructible.
#pragma once

#include <bento/abi.h>

#include <bento/detail/described.hpp>
#include <bento/detail/field_macros.hpp>
#include <bento/detail/pack.hpp>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#if BENTO_ABI_TARGET_MINOR >= 1

// BENTO_VALUES(type, member, (member, rule, ...), ...): at most 64 members. A type whose name has a
// comma in it needs an alias.
#define BENTO_VALUES(type, ...)                                    \
  [[maybe_unused]] constexpr auto bento_values(const type*) {      \
    return ::bento::detail::describe_values<type>(                 \
        BENTO_DETAIL_LIST(BENTO_DETAIL_VALUE, type, __VA_ARGS__)); \
  }

namespace bento {

// Rules for a member: its shape, -1 for any extent, at most 8 axes; and bento::as("name").
template <typename... N>
constexpr detail::ShapeRule shape(N... extents) {
  static_assert(sizeof...(N) > 0 && sizeof...(N) <= detail::ShapeRule::kMostAxes,
                "a shape of 1 to 8 axes");
  return {sizeof...(N), {static_cast<std::int64_t>(extents)...}};
}

}  // namespace bento

#else

#define BENTO_VALUES(type, ...)                      \
  static_assert(sizeof(type) == 0,                   \
                "BENTO_VALUES: several values need " \
                "BENTO_ABI_TARGET_MINOR 1, and a host of ABI 1.1");

#endif
