// The options of a service under test: what was given over the defaults of its schema. Part of
// <bento/testing.hpp>.
#pragma once

#include <rapidjson/document.h>
#include <rapidjson/stringbuffer.h>
#include <rapidjson/writer.h>

#include <bento/error.hpp>
#include <bento/testing/codec.hpp>
#include <string>
#include <string_view>

namespace bento::testing::internal {

// Throws Error, INVALID_ARGUMENT, for options that the schema does not have or not so.
inline std::string merge_options(std::string_view schema, std::string_view given) {
  rapidjson::Document options;
  parse_json(given, options);
  if (!options.IsObject()) throw Error(BENTO_INVALID_ARGUMENT, "options are a JSON object");
  if (!schema.empty()) {
    rapidjson::Document description;
    parse_json(schema, description);
    const auto properties = description.FindMember("properties");
    if (properties != description.MemberEnd()) {
      for (auto& [name, property] : properties->value.GetObject()) {
        const auto initial = property.FindMember("default");
        if (initial == property.MemberEnd() || options.HasMember(name)) continue;
        options.AddMember(rapidjson::Value(name, options.GetAllocator()),
                          rapidjson::Value(initial->value, options.GetAllocator()),
                          options.GetAllocator());
      }
    }
    check_schema(options, schema, 400);
  }
  rapidjson::StringBuffer text;
  rapidjson::Writer<rapidjson::StringBuffer> writer(text);
  options.Accept(writer);
  return text.GetString();
}

}  // namespace bento::testing::internal
