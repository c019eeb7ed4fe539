// The options of a service under test: the given options merged over the defaults of its schema.
// Part of <bento/testing.hpp>.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/error.hpp>
#include <bento/testing/codec.hpp>
#include <string>
#include <string_view>

namespace bento::testing::internal {

inline void add_defaults(const rapidjson::Value& schema, rapidjson::Document& options) {
  const auto properties = schema.FindMember("properties");
  if (properties == schema.MemberEnd()) return;
  for (const auto& property : properties->value.GetObject()) {
    const rapidjson::Value& description = property.value;
    const auto initial = description.FindMember("default");
    if (initial == description.MemberEnd() || options.HasMember(property.name)) continue;
    options.AddMember(rapidjson::Value(property.name, options.GetAllocator()),
                      rapidjson::Value(initial->value, options.GetAllocator()),
                      options.GetAllocator());
  }
}

// Throws Error, INVALID_ARGUMENT, for options that are not in the schema, or do not fit it.
inline std::string merge_options(std::string_view schema, std::string_view given) {
  rapidjson::Document options, described;
  detail::parse_json(given, options);
  if (!options.IsObject()) throw Error(BENTO_INVALID_ARGUMENT, "options are a JSON object");
  if (!schema.empty()) {
    detail::parse_json(schema, described);
    add_defaults(described, options);
    check_schema(options, schema, 400);
  }
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> writer(text);
  options.Accept(writer);
  return text.GetString();
}

}  // namespace bento::testing::internal
