// Says in words what a value must be to satisfy one keyword of a schema. Pure functions.
#pragma once

#include <rapidjson/document.h>

#include <string>
#include <string_view>

namespace bentohost {

// "must be of type number": for `keyword` of `schema`, which `value` breaks (nullptr: unknown).
std::string schema_demand(const rapidjson::Value& schema, std::string_view keyword,
                          const rapidjson::Value* value);

}  // namespace bentohost
