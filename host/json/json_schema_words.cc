#include "json/json_schema_words.h"

#include "json/json.h"

namespace bentohost {
namespace {

using rapidjson::Value;

constexpr std::size_t kMaxQuoted = 200;  // bytes of the schema in one message

std::string_view view(const Value& string) {
  return {string.GetString(), string.GetStringLength()};
}

std::string shortened(std::string text) {
  if (text.size() <= kMaxQuoted) return text;
  std::size_t end = kMaxQuoted;
  while (end > 0 && (text[end] & 0xC0) == 0x80) --end;  // do not cut a character in half
  return text.substr(0, end) + "...";
}

// The keyword's value as JSON, without an array's brackets.
std::string quoted(const Value& demanded) {
  std::string text = write_json(demanded);
  if (demanded.IsArray()) text = text.substr(1, text.size() - 2);
  return shortened(std::move(text));
}

std::string types(const Value& type) {
  if (type.IsString()) return std::string(view(type));
  std::string text;
  for (const Value& name : type.GetArray()) {
    if (!text.empty()) text += " or ";
    text += view(name);
  }
  return text;
}

std::string missing_property(const Value& required, const Value* value) {
  for (const Value& name : required.GetArray()) {
    if (value == nullptr || !value->IsObject() || value->HasMember(name)) continue;
    return "must have the property " + quoted(name);
  }
  return "must have the properties " + quoted(required);
}

bool is_true(const Value& schema, const char* keyword) {
  const auto member = schema.FindMember(keyword);
  return member != schema.MemberEnd() && member->value.IsTrue();
}

std::string counted(std::string_view demand, const Value& count, std::string_view unit) {
  const std::string n = quoted(count);
  return std::string(demand) + " " + n + " " + std::string(unit) + (n == "1" ? "" : "s");
}

}  // namespace

std::string schema_demand(const Value& schema, std::string_view keyword, const Value* value) {
  static const Value kNull;
  const auto member = schema.FindMember(Value(
      rapidjson::StringRef(keyword.data(), static_cast<rapidjson::SizeType>(keyword.size()))));
  const Value& demanded = member == schema.MemberEnd() ? kNull : member->value;
  if (keyword == "additionalProperties") return "is a property that the schema does not allow";
  if (keyword == "items") return "is one element more than the schema allows";
  if (keyword == "dependencies") return "lacks what another of its properties needs";
  if (keyword == "patternProperties") return "must match the schema for names of its pattern";
  if (keyword == "uniqueItems") return "must not appear twice";
  if (keyword == "allOf") return "must match every schema of allOf";
  if (keyword == "anyOf") return "must match at least one schema of anyOf";
  if (keyword == "oneOf") return "must match exactly one schema of oneOf";
  if (keyword == "not") return "must not match the schema under not";
  if (demanded.IsNull()) return "does not match the schema";
  if (keyword == "type") return "must be of type " + types(demanded);
  if (keyword == "enum") return "must be one of " + quoted(demanded);
  if (keyword == "required") return missing_property(demanded, value);
  if (keyword == "pattern") return "must match the pattern " + quoted(demanded);
  if (keyword == "multipleOf") return "must be a multiple of " + quoted(demanded);
  if (keyword == "minimum") {
    return (is_true(schema, "exclusiveMinimum") ? "must be more than " : "must be at least ") +
           quoted(demanded);
  }
  if (keyword == "maximum") {
    return (is_true(schema, "exclusiveMaximum") ? "must be less than " : "must be at most ") +
           quoted(demanded);
  }
  if (keyword == "minLength") return counted("must have at least", demanded, "character");
  if (keyword == "maxLength") return counted("must have at most", demanded, "character");
  if (keyword == "minItems") return counted("must have at least", demanded, "element");
  if (keyword == "maxItems") return counted("must have at most", demanded, "element");
  if (keyword == "minProperties") return counted("must have at least", demanded, "member");
  if (keyword == "maxProperties") return counted("must have at most", demanded, "member");
  return "does not match the schema";
}

}  // namespace bentohost
