// The results of a stream as text: server-sent events, or JSON, one a line. Pure; any thread.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "plugin/description.h"
#include "wire/value.h"

namespace bentohost::service {

// "text/event-stream", or for BENTO_AS_LINES "application/x-ndjson".
std::string_view stream_type(std::uint32_t stream);

// Appends one event: a line "data: ..." for each line of `data`, and `type` unless it is empty.
void append_event(std::string& out, std::string_view data, std::string_view type = {});

// Appends one result: JSON without white space between its tokens, arrays as nested arrays, text as
// it is (event) or as a JSON string (line), several values by name as one object. Errors as of
// encode().
Status append_result(std::string& out, std::span<const bento_value> values,
                     const std::vector<plugin::IoSpec>& specs, std::string_view who,
                     bool is_checked, std::uint32_t stream);

}  // namespace bentohost::service
