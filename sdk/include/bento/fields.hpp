// JSON of a struct that is described once. Part of <bento/bento.hpp>.
//
//   struct IrisFeatures {
//     double sepal_len, sepal_width, petal_len, petal_width;
//   };
//   BENTO_FIELDS(IrisFeatures, sepal_len, sepal_width, petal_len, petal_width)
//
// beside the struct, in its namespace, makes it what an API takes or returns, with a JSON Schema
// that the host checks first, and what from_json(), to_json() and bento::Router know. A member is a
// bool, an integer, a float, a double, a std::string, an enum, another described struct, or a
// std::vector or std::optional of these. It may have rules beside its type:
//
//   enum class Unit { cm, inch };
//   BENTO_ENUM(Unit, cm, inch)
//
//   struct Batch {
//     std::vector<IrisFeatures> flowers;
//     Unit unit = Unit::cm;
//     int limit = 10;
//     std::optional<std::string> note;
//   };
//   BENTO_FIELDS(Batch, (flowers, bento::min_size(1)), (unit, bento::has_default),
//                (limit, bento::has_default, bento::min(1), bento::max(100)), note)
//
// All members are demanded but those with bento::has_default, which keep what their initialiser
// says, and those of std::optional, which may also be null. Members that are not named are ignored,
// and refused in what is described with BENTO_STRICT_FIELDS.
#pragma once

#include <rapidjson/document.h>

#include <bento/described.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
#include <bento/json_reader.hpp>
#include <bento/json_schema.hpp>
#include <bento/json_writer.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// At most 64 members. A type whose name has a comma needs an alias.
#define BENTO_FIELDS(type, ...) BENTO_DETAIL_STRUCT(type, false, __VA_ARGS__)
#define BENTO_STRICT_FIELDS(type, ...) BENTO_DETAIL_STRUCT(type, true, __VA_ARGS__)
// An enum's values by their names.
#define BENTO_ENUM(type, ...)                                           \
  [[maybe_unused]] constexpr auto bento_enumerators(const type*) {      \
    return ::bento::detail::describe_enum<type>(                        \
        BENTO_DETAIL_LIST(BENTO_DETAIL_ENUMERATOR, type, __VA_ARGS__)); \
  }

#define BENTO_DETAIL_STRUCT(type, is_strict, ...)                             \
  [[maybe_unused]] constexpr auto bento_fields(const type*) {                 \
    return ::bento::detail::describe_struct<type>(                            \
        is_strict, BENTO_DETAIL_LIST(BENTO_DETAIL_FIELD, type, __VA_ARGS__)); \
  }
#define BENTO_DETAIL_ENUMERATOR(type, name) \
  ::bento::detail::Enumerator<type> { #name, type::name }

// A field is `member` or `(member, rule, ...)`: which of them tells IS_LIST, by what PROBE leaves.
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

// macro(type, item) for each item, with commas between. A macro does not expand within itself, so
// NEXT is left over at each step for the next of EXPAND's scans. The last item has an empty one
// after it, for a macro's `...` may not be missing in clang's eyes.
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

namespace bento {
namespace detail {

template <typename T>
inline constexpr bool kIsJson = Described<T>;
template <typename T, typename A>
inline constexpr bool kIsJson<std::vector<T, A>> = kIsJson<T>;

// A described struct, or a std::vector of one: what a body of JSON is read into.
template <typename T>
concept JsonBody = kIsJson<T>;

}  // namespace detail

// Throws Error: 400 for what is not JSON, 422 for JSON that is no T, with every member that is
// missing, mistyped, out of bounds or, if they are refused, not known, by its JSON pointer:
// "/petal_len: is missing; /sepal_len: expected a number, got "x"". (The host passes on the first
// 499 bytes of it.)
template <detail::JsonBody T>
T from_json(std::string_view text) {
  rapidjson::Document document;
  detail::parse_json(text, document);
  T value{};
  detail::JsonReader reader;
  reader.read(document, value);
  reader.check();
  return value;
}

// Throws Error, INTERNAL, for what JSON cannot hold: NaN, Infinity, text that is not UTF-8.
template <detail::JsonBody T>
std::string to_json(const T& value) {
  detail::JsonWriter writer;
  writer.write(value);
  return writer.text();
}

// In the words of draft 4.
template <detail::JsonBody T>
std::string json_schema() {
  detail::SchemaWriter writer;
  writer.write<T>();
  return writer.text();
}

// The descriptor of a T: its schema, and a sample if there is one.
template <detail::JsonBody T>
class FieldsIO : public Io {
 public:
  FieldsIO() : Io(BENTO_JSON, "json") {
    flags_ = BENTO_IO_SELF_CHECKED;  // from_json() is what reads it
    schema_ = json_schema<T>();
  }
  FieldsIO&& sample(const T& value) && {
    sample_ = to_json(value);
    return std::move(*this);
  }
};

namespace detail {

// A bento_value that owns its text.
class JsonValue {
 public:
  explicit JsonValue(std::string text)
      : text_(std::move(text)), value_(make_value(BENTO_JSON, text_, "application/json")) {}
  JsonValue(const JsonValue&) = delete;
  operator const bento_value&() const { return value_; }  // NOLINT(google-explicit-constructor)

 private:
  std::string text_;
  bento_value value_;
};

template <JsonBody T>
struct IoTraits<T> {
  static Io io() { return FieldsIO<T>(); }
  static JsonValue put(const T& value) { return JsonValue(to_json(value)); }
  static T get(const bento_value& value) {
    expect_kind(value, BENTO_JSON);
    return from_json<T>(bytes_of(value));
  }
};

}  // namespace detail
}  // namespace bento
