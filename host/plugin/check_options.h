// What an operator gives a service for options, held against the schema that the service told.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "base/status.h"

namespace bentohost::plugin {

// Options as a JSON object, checked against `schema_text`, defaults filled in. `given` must be an
// object.
Result<std::string> check_options(std::string_view schema_text, rapidjson::Document given);

}  // namespace bentohost::plugin
