#include "plugin/check_options.h"

#include <utility>
#include <vector>

#include "base/nearest_name.h"
#include "json/json.h"

namespace bentohost::plugin {
namespace {

// The schema's `properties`, or null.
const rapidjson::Value* properties_of(const rapidjson::Value& schema) {
  const auto member = schema.FindMember("properties");
  return member != schema.MemberEnd() ? &member->value : nullptr;
}

// A hint for a text option whose value was read as JSON, such as 1.10: "; it was read as JSON: for
// a text write '"1.10"'".
std::string way_to_write_texts(const rapidjson::Value& schema, std::string_view given) {
  const rapidjson::Value* known = properties_of(schema);
  const auto members = json_members(given);
  if (known == nullptr || !members.ok()) return "";
  for (const auto& [name, text] : *members) {
    const auto property = known->FindMember(rapidjson::StringRef(name.data(), name.size()));
    if (property == known->MemberEnd() || text.starts_with('"')) continue;
    const auto type = property->value.FindMember("type");
    if (type == property->value.MemberEnd() || type->value != "string") continue;
    const rapidjson::Value quoted(rapidjson::StringRef(text.data(), text.size()));
    return "; it was read as JSON: for a text write '" + write_json(quoted) + "'";
  }
  return "";
}

// Gives a better message than the validator, which does not know about options.
Status check_option_names(const rapidjson::Value& schema, const rapidjson::Value& given) {
  const rapidjson::Value* known = properties_of(schema);
  const auto others = schema.FindMember("additionalProperties");
  if (known == nullptr || others == schema.MemberEnd() || !others->value.IsFalse()) return {};
  for (const auto& option : given.GetObject()) {
    if (known->HasMember(option.name)) continue;
    std::vector<std::string_view> candidates;
    std::string names;
    for (const auto& one : known->GetObject()) {
      candidates.emplace_back(one.name.GetString(), one.name.GetStringLength());
      names.append(names.empty() ? "" : ", ").append(candidates.back());
    }
    const std::string name(option.name.GetString(), option.name.GetStringLength());
    const std::string nearest = did_you_mean(name, candidates);
    return Status(BENTO_INVALID_ARGUMENT, "there is no option " + name +
                                              (nearest.empty() ? ";" : nearest) +
                                              " its options are " + names);
  }
  return {};
}

}  // namespace

Result<std::string> check_options(std::string_view schema_text, std::string_view given_text) {
  auto parsed = parse_json(given_text);
  if (!parsed.ok()) return std::move(parsed).take_status();
  rapidjson::Document given = *std::move(parsed);
  if (schema_text.empty()) {
    if (given.MemberCount() == 0) return std::string("{}");
    return Status(BENTO_INVALID_ARGUMENT, std::string("it takes no options, but was given ") +
                                              given.MemberBegin()->name.GetString());
  }
  auto schema = JsonSchema::compile(schema_text);
  if (!schema.ok()) return std::move(schema).take_status();
  (*schema).fill_defaults(given);  // first, so that the defaults are checked too
  Status status = check_option_names((*schema).document(), given);
  if (!status.ok()) return status;
  status = (*schema).validate(given);
  if (status.ok()) return write_json(given);
  return Status(status.code(),
                status.message() + way_to_write_texts((*schema).document(), given_text));
}

}  // namespace bentohost::plugin
