// Describes what one keyword of a schema demands of a value. Pure functions.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>

namespace bentohost {

// "must be of type number": for `keyword` of `schema`, which `value` violates (nullptr: unknown).
std::string schema_demand(const rapidjson::Value& schema, std::string_view keyword,
                          const rapidjson::Value* value);

}  // namespace bentohost
