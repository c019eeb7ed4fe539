// What an operator gives a service for options, held against the schema that the service told.
// Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::plugin {

// Options as a JSON object, checked against `schema_text`, defaults filled in. `given_text` is the
// text of an object, as far as may be as it was typed. INVALID_ARGUMENT names what is wrong, and
// for a name that there is not the nearest.
Result<std::string> check_options(std::string_view schema_text, std::string_view given_text);

}  // namespace bentohost::plugin
