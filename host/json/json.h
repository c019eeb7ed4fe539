// JSON at the host's borders: parsing that tells line and column, and JSON Schema validation that
// tells the JSON pointer. RapidJSON inside, always iterative and with a depth cap, for its
// recursive parser overflows the stack on deep input. Documents are values; a Schema is immutable,
// any thread.
#pragma once

#include <rapidjson/document.h>

#include <bento/detail/json_parser.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/status.h"

namespace bentohost {

inline constexpr std::size_t kMaxJsonDepth = bento::detail::kMaxJsonDepth;

// "line 3 column 7": where byte `offset` of `text` is; both count from 1, columns in bytes.
std::string json_position(std::string_view text, std::size_t offset);
// INVALID_ARGUMENT: "line 1 column 8: missing a comma or ] after an array element".
Status json_error(std::string_view text, std::size_t offset, std::string_view what);

// Refuses NUL bytes, invalid UTF-8, NaN and Infinity, numbers beyond double, a second document, and
// nesting deeper than kMaxJsonDepth: all INVALID_ARGUMENT with line and column.
Result<rapidjson::Document> parse_json(std::string_view text);
// The members of an object, each with its value as it stands in `text`: for words about what
// somebody has typed. INVALID_ARGUMENT for what is no object.
Result<std::vector<std::pair<std::string, std::string_view>>> json_members(std::string_view text);
// Whether it is JSON, without a document of it: OK, or the same errors. Of any depth, for nothing
// here has to hold it.
Status check_json(std::string_view text);

std::string write_json(const rapidjson::Value& value);

// A JSON Schema in the subset that RapidJSON's validator enforces (draft 4). Annotations (title,
// description, default, examples, format, $schema, ...) are allowed; a schema with a keyword that
// we could not enforce (const, if, contains, a typing error, a remote $ref, ...) is refused, not
// ignored, and json_schema_check.cc says why of each.
class JsonSchema {
 public:
  static Result<JsonSchema> compile(std::string_view text);

  // OK, or INVALID_ARGUMENT with HTTP status 422:
  // "/features/0/sepal_len: must be of type number (keyword type)". `value` is not nested deeper
  // than parse_json() allows. Where the schema says uniqueItems, no array may have more than
  // kMaxUniqueItems elements, for the check compares each with each.
  static constexpr std::size_t kMaxUniqueItems = 4096;
  Status validate(const rapidjson::Value& value) const;
  // Adds to an object each property that it lacks and for which the schema's `properties` has a
  // default; not to objects inside it. Before validate(), so that the defaults are checked too.
  void fill_defaults(rapidjson::Document& object) const;
  const rapidjson::Value& document() const;

 private:
  struct Impl;
  explicit JsonSchema(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace bentohost
