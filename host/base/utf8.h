// Whether text is UTF-8 (RFC 3629). Pure; any thread.
#pragma once

#include <string_view>

namespace bentohost {

bool is_utf8(std::string_view text);

}  // namespace bentohost
