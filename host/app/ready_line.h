// The line on stdout that says that the host serves. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/log.h"

namespace bentohost::app {

// One line in the log's format, with its newline. `services` and `urls` are lists in words; any
// characters that would break the line or the JSON are escaped.
std::string ready_line(LogFormat format, std::string_view services, std::string_view urls,
                       Duration took);

}  // namespace bentohost::app
