// Checks the options that an operator gives a service against the service's schema. Pure; any
// thread.
#pragma once

#include <string>
#include <string_view>

#include "base/status.h"

namespace bentohost::plugin {

// Returns the options as a JSON object, checked against `schema_text`, with defaults filled in.
// `given_text` is the text of an object, as close as possible to what was typed. INVALID_ARGUMENT
// names what is wrong, and for an unknown option the nearest known one.
Result<std::string> check_options(std::string_view schema_text, std::string_view given_text);

}  // namespace bentohost::plugin
