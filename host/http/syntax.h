// HTTP's characters: which bytes are allowed in tokens, field values and authorities; also
// percent-decoding. Pure; any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

namespace bentohost::http {

// Appends `name` in lower case to `out`; false, and nothing, if it is not a token (RFC 9110 5.6.2).
bool append_lower_token(std::string_view name, std::string& out);
bool is_token(std::string_view text);
// No control byte except the tab. Bytes above 0x7f are allowed: RFC 9110 5.5 calls them obs-text.
bool is_field_value(std::string_view text);
// No blanks and no control bytes; it may be empty.
bool is_visible(std::string_view text);
// "host" or "host:port" (RFC 3986 3.2.2 and 3.2.3), without user information. The host must not be
// empty, the port may be. The text within "[...]" need not be a valid address.
bool is_authority(std::string_view text);

// `size` bytes of each.
bool equals_ignoring_case(const char* a, const char* b, std::size_t size);
inline bool equals_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && equals_ignoring_case(a.data(), b.data(), a.size());
}
// `text` without spaces and tabs at its ends (OWS).
std::string_view trim(std::string_view text);

// Calls `visit` with each non-empty member of a comma-separated list (RFC 9110 5.6.1). Only for
// fields without quoted commas.
template <typename Visit>
void for_each_member(std::string_view list, Visit visit) {
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    if (const std::string_view member = trim(list.substr(0, comma)); !member.empty()) visit(member);
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
}

// Replaces `out` by `text` with each %xx decoded; '+' stays as it is. False, with `out`
// unspecified, for an incomplete or non-hexadecimal escape and for %00.
bool percent_decode(std::string_view text, std::string& out);
// 0 to 15, or -1.
int hex_digit(char c);

}  // namespace bentohost::http
