// JSON at the host's borders: parsing, with line and column in its errors, and JSON Schema
// validation, with a JSON pointer. RapidJSON inside, always iterative and with a limit on depth,
// since its recursive parser overflows the stack on deep input. Documents are values. A JsonSchema
// is immutable; any thread.
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

// "line 3 column 7" for byte `offset` of `text`. Both count from 1, columns in bytes.
std::string json_position(std::string_view text, std::size_t offset);
// INVALID_ARGUMENT: "line 1 column 8: missing a comma or ] after an array element".
Status json_error(std::string_view text, std::size_t offset, std::string_view what);

// Refuses NUL bytes, invalid UTF-8, NaN and Infinity, numbers beyond double, a second document, and
// nesting deeper than kMaxJsonDepth: all INVALID_ARGUMENT with line and column.
Result<rapidjson::Document> parse_json(std::string_view text);
// The members of an object, each with the text of its value in `text`: for messages that quote what
// somebody typed. INVALID_ARGUMENT if `text` is not an object.
Result<std::vector<std::pair<std::string, std::string_view>>> json_members(std::string_view text);
// Checks that `text` is JSON without building a document: OK, or the same errors. Any depth is
// allowed, since nothing is built.
Status check_json(std::string_view text);

std::string write_json(const rapidjson::Value& value);
// `text`, which is UTF-8, as a JSON string.
std::string quote_json(std::string_view text);

// A JSON Schema in the subset that RapidJSON's validator enforces (draft 4). Annotations (title,
// description, default, examples, format, $schema, ...) are allowed. A schema with a keyword that
// we could not enforce (const, if, contains, a typing error, a remote $ref, ...) is refused, not
// ignored; json_schema_check.cc gives the reason for each.
class JsonSchema {
 public:
  static Result<JsonSchema> compile(std::string_view text);

  // OK, or INVALID_ARGUMENT with HTTP status 422: "/features/0/sepal_len: must be of type number
  // (keyword type)". `value` must not be nested deeper than parse_json() allows. With uniqueItems
  // in the schema, no array may have more than kMaxUniqueItems elements, since the check compares
  // all pairs.
  static constexpr std::size_t kMaxUniqueItems = 4096;
  Status validate(const rapidjson::Value& value) const;
  // Adds to `object` the defaults in the schema's `properties` for properties that it lacks, but
  // not to objects inside it. Call before validate(), so that the defaults are checked too.
  void fill_defaults(rapidjson::Document& object) const;
  const rapidjson::Value& document() const;

 private:
  struct Impl;
  explicit JsonSchema(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace bentohost
