// Reads JSON as the host does, with the same messages: parse errors give line and column, schema
// errors say where the fault is and what is required. Part of <bento/testing.hpp>.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/pointer.h>
#include <rapidjson/schema.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <algorithm>
#include <bento/detail/json_reader.hpp>
#include <bento/error.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace bento::testing::internal {

using detail::parse_json;

// Without white space between its tokens. `json` is valid.
inline std::string compact(std::string_view json) {
  std::string out;
  bool is_in_string = false;
  for (std::size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (!is_in_string && (c == ' ' || c == '\t' || c == '\n' || c == '\r')) continue;
    out += c;
    if (c == '"') is_in_string = !is_in_string;
    if (is_in_string && c == '\\') out += json[++i];
  }
  return out;
}

// Throws Error if the text is not JSON, of any depth.
inline void check_json(std::string_view text) {
  if (auto fault = detail::find_json_fault(text)) {
    throw Error(BENTO_INVALID_ARGUMENT, *std::move(fault));
  }
}

// The requirement of one keyword of a schema on a value.
class SchemaDemand {
 public:
  SchemaDemand(const rapidjson::Value& schema, const rapidjson::Value* value)
      : schema_(schema), value_(value) {}

  std::string text(std::string_view keyword) const {
    static const std::pair<std::string_view, const char*> kFixed[] = {
        {"additionalProperties", "is a property that the schema does not allow"},
        {"items", "is one element more than the schema allows"},
        {"dependencies", "lacks what another of its properties needs"},
        {"patternProperties", "must match the schema for names of its pattern"},
        {"uniqueItems", "must not appear twice"},
        {"allOf", "must match every schema of allOf"},
        {"anyOf", "must match at least one schema of anyOf"},
        {"oneOf", "must match exactly one schema of oneOf"},
        {"not", "must not match the schema under not"}};
    for (const auto& [name, words] : kFixed) {
      if (name == keyword) return words;
    }
    const auto member = schema_.FindMember(
        rapidjson::StringRef(keyword.data(), static_cast<rapidjson::SizeType>(keyword.size())));
    if (member == schema_.MemberEnd()) return "does not match the schema";
    const rapidjson::Value& demanded = member->value;
    if (keyword == "type") return "must be of type " + types(demanded);
    if (keyword == "enum") return "must be one of " + quoted(demanded);
    if (keyword == "required") return missing(demanded);
    if (keyword == "pattern") return "must match the pattern " + quoted(demanded);
    if (keyword == "multipleOf") return "must be a multiple of " + quoted(demanded);
    if (keyword == "minimum") {
      return (is_true("exclusiveMinimum") ? "must be more than " : "must be at least ") +
             quoted(demanded);
    }
    if (keyword == "maximum") {
      return (is_true("exclusiveMaximum") ? "must be less than " : "must be at most ") +
             quoted(demanded);
    }
    static const std::pair<std::string_view, const char*> kUnits[] = {
        {"Length", "character"}, {"Items", "element"}, {"Properties", "member"}};
    for (const auto& [what, unit] : kUnits) {
      if (!keyword.ends_with(what)) continue;
      const std::string n = quoted(demanded);
      return (keyword.starts_with("min") ? "must have at least " : "must have at most ") + n + " " +
             unit + (n == "1" ? "" : "s");
    }
    return "does not match the schema";
  }

 private:
  static std::string quoted(const rapidjson::Value& demanded) {
    constexpr std::size_t kMaxQuoted = 200;
    rapidjson::StringBuffer buffer;
    rapidjson::Writer<rapidjson::StringBuffer> writer(buffer);
    demanded.Accept(writer);
    std::string text = buffer.GetString();
    if (demanded.IsArray()) text = text.substr(1, text.size() - 2);
    return text.size() <= kMaxQuoted ? text : text.substr(0, kMaxQuoted) + "...";
  }
  static std::string types(const rapidjson::Value& type) {
    if (type.IsString()) return type.GetString();
    std::string text;
    for (const rapidjson::Value& name : type.GetArray()) {
      text.append(text.empty() ? "" : " or ").append(name.GetString());
    }
    return text;
  }
  std::string missing(const rapidjson::Value& required) const {
    for (const rapidjson::Value& name : required.GetArray()) {
      if (value_ == nullptr || !value_->IsObject() || value_->HasMember(name)) continue;
      return "must have the property " + quoted(name);
    }
    return "must have the properties " + quoted(required);
  }
  bool is_true(const char* keyword) const {
    const auto member = schema_.FindMember(keyword);
    return member != schema_.MemberEnd() && member->value.IsTrue();
  }

  const rapidjson::Value& schema_;
  const rapidjson::Value* value_;
};

// Throws Error with `http_status` if the JSON violates the schema.
inline void check_schema(const rapidjson::Value& json, std::string_view schema,
                         std::uint32_t http_status) {
  rapidjson::Document document;
  parse_json(schema, document);
  const rapidjson::SchemaDocument compiled(document);
  rapidjson::SchemaValidator validator(compiled);
  if (json.Accept(validator)) return;
  const rapidjson::Pointer where = validator.GetInvalidDocumentPointer();
  rapidjson::StringBuffer buffer;
  where.Stringify(buffer);
  std::string message(buffer.GetString(), buffer.GetSize());
  if (message.empty()) message = "the document";
  const char* keyword = validator.GetInvalidSchemaKeyword();
  const rapidjson::Value* broken = validator.GetInvalidSchemaPointer().Get(document);
  if (keyword == nullptr || broken == nullptr || !broken->IsObject()) {
    message += ": does not match the schema";
  } else {
    message +=
        ": " + SchemaDemand(*broken, where.Get(json)).text(keyword) + " (keyword " + keyword + ")";
  }
  throw Error(BENTO_INVALID_ARGUMENT, message, http_status);
}

}  // namespace bento::testing::internal
