#include "plugin/check_options.h"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

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

// Levenshtein distance: insertions, deletions and replacements.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

// "; did you mean model?", if a known name is near enough.
std::string nearest_of(std::string_view name, const rapidjson::Value& known) {
  constexpr std::size_t kLongest = 64;  // names longer than this are not compared
  std::string_view best;
  std::size_t least = name.size() / 3 + 2;  // a name that differs more is unrelated
  for (const auto& one : known.GetObject()) {
    const std::string_view candidate(one.name.GetString(), one.name.GetStringLength());
    if (name.size() > kLongest || candidate.size() > kLongest) continue;
    const std::size_t far = distance(name, candidate);
    if (far < least) {
      least = far;
      best = candidate;
    }
  }
  return best.empty() ? "" : "; did you mean " + std::string(best) + "?";
}

// Gives a better message than the validator, which does not know about options.
Status check_option_names(const rapidjson::Value& schema, const rapidjson::Value& given) {
  const rapidjson::Value* known = properties_of(schema);
  const auto others = schema.FindMember("additionalProperties");
  if (known == nullptr || others == schema.MemberEnd() || !others->value.IsFalse()) return {};
  for (const auto& option : given.GetObject()) {
    if (known->HasMember(option.name)) continue;
    std::string names;
    for (const auto& one : known->GetObject())
      names += (names.empty() ? "" : ", ") + std::string(one.name.GetString());
    const std::string name(option.name.GetString(), option.name.GetStringLength());
    const std::string nearest = nearest_of(name, *known);
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
