#include "plugin/check_options.h"

#include <utility>

namespace bentohost::plugin {
namespace {

// The schema's `properties`, or null.
const rapidjson::Value* properties_of(const rapidjson::Value& schema) {
  const auto member = schema.FindMember("properties");
  return member != schema.MemberEnd() ? &member->value : nullptr;
}

// In better words than the validator's, which knows of no options.
Status check_option_names(const rapidjson::Value& schema, const rapidjson::Value& given) {
  const rapidjson::Value* known = properties_of(schema);
  const auto others = schema.FindMember("additionalProperties");
  if (known == nullptr || others == schema.MemberEnd() || !others->value.IsFalse()) return {};
  for (const auto& option : given.GetObject()) {
    if (known->HasMember(option.name)) continue;
    std::string names;
    for (const auto& one : known->GetObject())
      names += (names.empty() ? "" : ", ") + std::string(one.name.GetString());
    return Status(BENTO_INVALID_ARGUMENT, "there is no option " +
                                              std::string(option.name.GetString()) +
                                              "; its options are " + names);
  }
  return {};
}

// For a text such as 5, which was taken for JSON: "; for a text write '"5"'".
std::string way_to_write_texts(const rapidjson::Value& schema, const rapidjson::Value& given) {
  const rapidjson::Value* known = properties_of(schema);
  if (known == nullptr) return "";
  for (const auto& option : given.GetObject()) {
    const auto property = known->FindMember(option.name);
    if (property == known->MemberEnd() || option.value.IsString()) continue;
    const auto type = property->value.FindMember("type");
    if (type == property->value.MemberEnd() || type->value != "string") continue;
    const std::string text = write_json(option.value);
    const rapidjson::Value quoted(rapidjson::StringRef(text.data(), text.size()));
    return "; it was read as JSON: for a text write '" + write_json(quoted) + "'";
  }
  return "";
}

}  // namespace

Result<std::string> check_options(std::string_view schema_text, rapidjson::Document given) {
  if (schema_text.empty()) {
    if (given.MemberCount() == 0) return std::string("{}");
    return Status(BENTO_INVALID_ARGUMENT, std::string("it takes no options, but was given ") +
                                              given.MemberBegin()->name.GetString());
  }
  auto schema = JsonSchema::compile(schema_text);
  if (!schema.ok()) return std::move(schema).take_status();
  (*schema).fill_defaults(given);  // first, so that the defaults are held against the schema too
  Status status = check_option_names((*schema).document(), given);
  if (!status.ok()) return status;
  status = (*schema).validate(given);
  if (status.ok()) return write_json(given);
  return Status(status.code(), status.message() + way_to_write_texts((*schema).document(), given));
}

}  // namespace bentohost::plugin
