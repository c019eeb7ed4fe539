// The values of options as an operator writes them, on the command line or in JSON. Pure.
// INVALID_ARGUMENT says what was expected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "base/status.h"

namespace bentohost {

Result<std::size_t> parse_size(std::string_view text);  // bytes: "65536", "64k", "64m", "1g"
Result<Duration> parse_seconds(std::string_view text);  // "0.5", "60"; more than 0, at most a day
Result<Duration> parse_delay(std::string_view text);    // the same, or 0
Result<std::uint32_t> parse_count(std::string_view text, std::uint32_t least, std::uint32_t most);
Result<bool> parse_switch(std::string_view text);  // "on" or "off"

}  // namespace bentohost
