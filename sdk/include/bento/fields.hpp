// BENTO_FIELDS: a struct that is described once is read from JSON, written as JSON and has a JSON
// Schema. Nothing is inherited, registered or allocated for it. Part of <bento/bento.hpp>.
//
//   struct IrisFeatures {
//     double sepal_len, sepal_width, petal_len, petal_width;
//   };
//   BENTO_FIELDS(IrisFeatures, sepal_len, sepal_width, petal_len, petal_width)
//
// The macro stands beside the struct, in its namespace. Then APIs, handlers of a bento::Router,
// from_json() and to_json() take and return it, and std::vectors of it. The struct has to be
// default-constructible. A member is a bool, an integer, a float, a double, a std::string, an enum
// with BENTO_ENUM, another described struct, or a std::vector or std::optional of these. It may
// have rules beside its type:
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
// All members are required, except those with bento::has_default, which keep what their initialiser
// says, and those of std::optional, which may also be null. Of a member that is there twice the
// last one counts. Members of the JSON that the struct does not have are ignored;
// BENTO_STRICT_FIELDS refuses them. All functions are pure: any thread.
#pragma once

#include <rapidjson/document.h>

#include <bento/detail/described.hpp>
#include <bento/detail/field_macros.hpp>
#include <bento/detail/io_traits.hpp>
#include <bento/detail/json_reader.hpp>
#include <bento/detail/json_schema.hpp>
#include <bento/detail/json_writer.hpp>
#include <bento/error.hpp>
#include <bento/io.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// BENTO_FIELDS(type, member, (member, rule, ...), ...): at most 64 members. A type whose name has a
// comma in it needs an alias. A rule that the member's type cannot have does not compile.
#define BENTO_FIELDS(type, ...) BENTO_DETAIL_STRUCT(type, false, __VA_ARGS__)
#define BENTO_STRICT_FIELDS(type, ...) BENTO_DETAIL_STRUCT(type, true, __VA_ARGS__)
// BENTO_ENUM(type, value, ...): in JSON the values are texts, their names. Others are refused.
#define BENTO_ENUM(type, ...)                                           \
  [[maybe_unused]] constexpr auto bento_enumerators(const type*) {      \
    return ::bento::detail::describe_enum<type>(                        \
        BENTO_DETAIL_LIST(BENTO_DETAIL_ENUMERATOR, type, __VA_ARGS__)); \
  }

namespace bento {

// ---- rules for a member: BENTO_FIELDS(Order, item, (count, bento::min(1), bento::max(99))) ----

// Bounds of a number: min and max may be reached, above and below may not. The bound of an integer
// is an integer that its type can hold.
template <typename N>
constexpr detail::LeastRule<N> min(N bound) {
  return {bound, false};
}
template <typename N>
constexpr detail::LeastRule<N> above(N bound) {
  return {bound, true};
}
template <typename N>
constexpr detail::MostRule<N> max(N bound) {
  return {bound, false};
}
template <typename N>
constexpr detail::MostRule<N> below(N bound) {
  return {bound, true};
}
// Code points of a string, elements of a vector.
constexpr detail::MinSizeRule min_size(std::uint32_t size) { return {size}; }
constexpr detail::MaxSizeRule max_size(std::uint32_t size) { return {size}; }
// The member may be missing, and then is what its initialiser in the struct says.
inline constexpr detail::HasDefaultRule has_default;
// Its name in JSON, where that cannot or should not be the member's. A literal.
constexpr detail::NameRule as(std::string_view name) { return {name}; }
// What it is, for the schema's "description". A literal.
constexpr detail::DocRule doc(std::string_view text) { return {text}; }

namespace detail {

template <typename T>
inline constexpr bool kIsJson = Described<T>;
template <typename T, typename A>
inline constexpr bool kIsJson<std::vector<T, A>> = kIsJson<T>;

// A described struct, or a std::vector of one: what a body of JSON is read into.
template <typename T>
concept JsonBody = kIsJson<T>;

}  // namespace detail

// A T from the text of a JSON document (RFC 8259), UTF-8. Throws Error: 400 for text that is not
// JSON or is nested deeper than 128 levels, 422 for JSON that does not fit T. That message names
// every member that is missing, of another type, out of bounds or (in a strict struct) not known,
// by its JSON pointer (RFC 6901), 100 of them at most: "/petal_len: is missing; /sepal_len:
// expected a number, got "x"". A client sees its first 499 bytes.
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

// The JSON of a value, without blanks; doubles as short as they may be to read back the same.
// Throws Error, INTERNAL, for what JSON cannot hold, by its JSON pointer: NaN, an infinity, text
// that is not UTF-8, an enum's value without a name, more than 128 levels.
template <detail::JsonBody T>
std::string to_json(const T& value) {
  detail::JsonWriter writer;
  writer.write(value);
  return writer.text();
}

// The JSON Schema (draft 4) of a T, with its rules, defaults and docs.
template <detail::JsonBody T>
std::string json_schema() {
  detail::SchemaWriter writer;
  writer.write<T>();
  return writer.text();
}

// The descriptor of a T (see <bento/io.hpp>), with its schema. The host leaves it to from_json() to
// hold an input to that, for it names all faults at once; a result it checks itself.
template <detail::JsonBody T>
class FieldsIO : public Io {
 public:
  FieldsIO() : Io(BENTO_JSON, "json") {
    flags_ = BENTO_IO_SELF_CHECKED;  // from_json() is what reads it
    schema_ = json_schema<T>();
  }
  // A value that the API answers, for --reload-samples.
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
