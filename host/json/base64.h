// Bytes as text, as JSON has them by convention: Base64 with padding (RFC 4648 4). Pure; any
// thread.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace bentohost {

// Nothing if `text` is not what some bytes are encoded as.
std::optional<std::string> base64_decode(std::string_view text);
// Appends to `out`.
void base64_encode(std::string_view bytes, std::string& out);

}  // namespace bentohost
